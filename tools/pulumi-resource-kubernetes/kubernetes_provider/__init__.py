"""A Pulumi provider for Kubernetes: server-side apply of what ``pulumi_kubernetes`` declares.

It speaks Pulumi's provider protocol itself (the messages come with the Python SDK): ``pulumi.provider.experimental``
cannot say "created, but not ready", does not pass the old inputs, knows no unknown values, and puts a traceback into
every error. See docs/decisions/0008-kubernetes-provider.md.
"""
