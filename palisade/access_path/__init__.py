"""The access path: Envoy ends TLS and checks tokens, OPA decides, the services behind registered APIs answer."""
