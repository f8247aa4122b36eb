# Changes what Palisade declares: what `palisade vault apply`, `enroll`, `token` and `palisade secrets` need. It may write
# policies of Palisade, so whoever has it can get at everything that Palisade keeps in Vault, and at nothing else.
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
  capabilities = ["create", "read", "update", "delete"]
}
path "${mounts.pki_root}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "${mounts.pki}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "${mounts.transit}/keys/*" {
  capabilities = ["create", "read", "update", "list"]
}
path "${mounts.secrets}/*" {
  capabilities = ["create", "read", "update", "list"]
}
path "auth/${mounts.approle}/role" {
  capabilities = ["list"]
}
path "auth/${mounts.approle}/role/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "auth/${mounts.kubernetes}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "auth/${mounts.people}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "identity/oidc/config" {
  capabilities = ["read", "update"]
}
path "identity/oidc/key/${roles.tokens}" {
  capabilities = ["create", "read", "update"]
}
path "identity/oidc/role/${roles.tokens}" {
  capabilities = ["create", "read", "update"]
}
path "identity/entity/name/*" {
  capabilities = ["create", "read", "update"]
}
path "identity/entity-alias" {
  capabilities = ["create", "update"]
}
path "identity/group/name/*" {
  capabilities = ["create", "read", "update"]
}
path "sys/mounts/${mounts.secrets}" {
  capabilities = ["create", "read", "update"]
}
path "sys/mounts/${mounts.secrets}/tune" {
  capabilities = ["read", "update"]
}
path "sys/mounts/${mounts.pki_root}" {
  capabilities = ["create", "read", "update"]
}
path "sys/mounts/${mounts.pki_root}/tune" {
  capabilities = ["read", "update"]
}
path "sys/mounts/${mounts.pki}" {
  capabilities = ["create", "read", "update"]
}
path "sys/mounts/${mounts.pki}/tune" {
  capabilities = ["read", "update"]
}
path "sys/mounts/${mounts.transit}" {
  capabilities = ["create", "read", "update"]
}
path "sys/mounts/${mounts.transit}/tune" {
  capabilities = ["read", "update"]
}
path "sys/auth/${mounts.approle}" {
  capabilities = ["create", "read", "update", "sudo"]
}
path "sys/auth/${mounts.approle}/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "sys/auth/${mounts.kubernetes}" {
  capabilities = ["create", "read", "update", "sudo"]
}
path "sys/auth/${mounts.kubernetes}/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "sys/auth/${mounts.people}" {
  capabilities = ["create", "read", "update", "sudo"]
}
path "sys/auth/${mounts.people}/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
