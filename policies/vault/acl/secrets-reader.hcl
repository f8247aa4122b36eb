# What `palisade secrets` brings to where it is used.
path "${mounts.secrets}/data/registry-database" {
  capabilities = ["read"]
}
path "${mounts.secrets}/data/redis-registry" {
  capabilities = ["read"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
