# Signs evidence; whoever checks a signature reads the public key.
path "${mounts.transit}/sign/${keys.evidence_signing}" {
  capabilities = ["update"]
}
path "${mounts.transit}/sign/${keys.evidence_signing}/*" {
  capabilities = ["update"]
}
path "${mounts.transit}/keys/${keys.evidence_signing}" {
  capabilities = ["read"]
}
