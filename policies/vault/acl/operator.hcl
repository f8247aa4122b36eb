# Changes what Palisade declares: what `palisade vault apply`, `enroll`, `token` and `palisade secrets` need. Whoever has it
# can get at everything that Palisade keeps in Vault, and at nothing else: it writes no policies, because Vault does not limit
# what they say, and gives the logins of hosts and pods their own policy only. In a local fleet, which has a Vault of its own,
# it also writes people and groups, and that is as much as an administrator of that Vault may do.
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
  capabilities = ["read", "delete"]
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
path "auth/${mounts.approle}/role/+" {
  capabilities = ["read", "delete"]
}
# A list of allowed values is compared whole; a text is one entry (HashiCorp Vault 1.21 and later compare each entry).
<%- for group in host_groups %>
path "auth/${mounts.approle}/role/${group}" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = {
    "token_policies" = [["palisade-host-${group}"], "palisade-host-${group}"]
    "*" = []
  }
  denied_parameters = {
    "policies" = []
  }
}
<%- endfor %>
path "auth/${mounts.approle}/role/+/role-id" {
  capabilities = ["read"]
}
path "auth/${mounts.approle}/role/+/secret-id" {
  capabilities = ["create", "update"]
}
path "auth/${mounts.approle}/role/+/secret-id/*" {
  capabilities = ["create", "update"]
}
path "auth/${mounts.approle}/role/+/secret-id-accessor/*" {
  capabilities = ["create", "update"]
}
path "auth/${mounts.kubernetes}/config" {
  capabilities = ["create", "read", "update"]
}
path "auth/${mounts.kubernetes}/role" {
  capabilities = ["list"]
}
path "auth/${mounts.kubernetes}/role/+" {
  capabilities = ["read", "delete"]
}
path "auth/${mounts.kubernetes}/role/${roles.cert_manager}" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = {
    "token_policies" = [["palisade-cert-manager"], "palisade-cert-manager"]
    "*" = []
  }
  denied_parameters = {
    "policies" = []
  }
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
  allowed_parameters = {
    "type" = ["approle"]
    "*" = []
  }
}
path "sys/auth/${mounts.approle}/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "sys/auth/${mounts.kubernetes}" {
  capabilities = ["create", "read", "update", "sudo"]
  allowed_parameters = {
    "type" = ["kubernetes"]
    "*" = []
  }
}
path "sys/auth/${mounts.kubernetes}/tune" {
  capabilities = ["read", "update", "sudo"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
<%- if local %>
path "auth/${mounts.people}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
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
path "sys/auth/${mounts.people}" {
  capabilities = ["create", "read", "update", "sudo"]
}
path "sys/auth/${mounts.people}/tune" {
  capabilities = ["read", "update", "sudo"]
}
<%- endif %>
