# Reads how Vault is set up: all that `palisade vault plan` and `verify` need, and no secret.
path "sys/mounts" {
  capabilities = ["read"]
}
path "sys/auth" {
  capabilities = ["read"]
}
path "sys/audit" {
  capabilities = ["read", "sudo"]
}
path "sys/policies/acl" {
  capabilities = ["list"]
}
path "sys/policies/acl/palisade-*" {
  capabilities = ["read"]
}
path "${mounts.pki_root}/*" {
  capabilities = ["read", "list"]
}
path "${mounts.pki}/*" {
  capabilities = ["read", "list"]
}
path "${mounts.transit}/keys/*" {
  capabilities = ["read", "list"]
}
path "${mounts.secrets}/subkeys/*" {
  capabilities = ["read"]
}
path "auth/${mounts.approle}/role" {
  capabilities = ["list"]
}
path "auth/${mounts.approle}/role/+" {
  capabilities = ["read"]
}
path "auth/${mounts.kubernetes}/config" {
  capabilities = ["read"]
}
path "auth/${mounts.kubernetes}/role" {
  capabilities = ["list"]
}
path "auth/${mounts.kubernetes}/role/+" {
  capabilities = ["read"]
}
path "auth/${mounts.people}/users" {
  capabilities = ["list"]
}
path "auth/${mounts.people}/users/+" {
  capabilities = ["read"]
}
path "identity/oidc/config" {
  capabilities = ["read"]
}
path "identity/oidc/key/${roles.tokens}" {
  capabilities = ["read"]
}
path "identity/oidc/role/${roles.tokens}" {
  capabilities = ["read"]
}
path "identity/entity/name/+" {
  capabilities = ["read"]
}
path "identity/group/name/+" {
  capabilities = ["read"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
