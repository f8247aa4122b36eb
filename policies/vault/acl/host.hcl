# The agent of a host gets certificates with the role for hosts.
path "${mounts.pki}/issue/${roles.hosts}" {
  capabilities = ["update"]
}
path "${mounts.pki}/sign/${roles.hosts}" {
  capabilities = ["update"]
}
