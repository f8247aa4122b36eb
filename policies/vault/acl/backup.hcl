# Takes snapshots of Vault's storage, and puts none back. A snapshot is sealed: it tells nothing without the key of the seal.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}
