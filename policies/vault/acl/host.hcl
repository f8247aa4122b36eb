# The agent of a host gets certificates with the role for hosts, and where it is the edge also with that role.
path "${mounts.pki}/issue/${roles.hosts}" {
  capabilities = ["update"]
}
path "${mounts.pki}/sign/${roles.hosts}" {
  capabilities = ["update"]
}
<%- if each == "registry" and edge_certificate.role == roles.edge %>
path "${mounts.pki}/issue/${roles.edge}" {
  capabilities = ["update"]
}
path "${mounts.pki}/sign/${roles.edge}" {
  capabilities = ["update"]
}
<%- endif %>
