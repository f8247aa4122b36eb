# A person of a local fleet gets an identity token, and nothing else.
path "identity/oidc/token/${roles.tokens}" {
  capabilities = ["read"]
}
