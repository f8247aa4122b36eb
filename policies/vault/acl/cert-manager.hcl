# cert-manager has its requests signed with the role for pods; it never gets a private key from Vault.
path "${mounts.pki}/sign/${roles.workloads}" {
  capabilities = ["update"]
}
