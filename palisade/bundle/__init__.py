"""The signed bundle: the Rego that decides on API requests, and what the registry and the configuration tell it."""
