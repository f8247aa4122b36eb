# Signs policy bundles; whoever checks a signature reads the public key.
path "${mounts.transit}/sign/${keys.bundle_signing}" {
  capabilities = ["update"]
}
path "${mounts.transit}/sign/${keys.bundle_signing}/*" {
  capabilities = ["update"]
}
path "${mounts.transit}/keys/${keys.bundle_signing}" {
  capabilities = ["read"]
}
