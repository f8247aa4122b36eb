# Signs digests of the audit trail; whoever checks a signature reads the public key.
path "${mounts.transit}/sign/${keys.audit_digest}" {
  capabilities = ["update"]
}
path "${mounts.transit}/sign/${keys.audit_digest}/*" {
  capabilities = ["update"]
}
path "${mounts.transit}/keys/${keys.audit_digest}" {
  capabilities = ["read"]
}
