"""The container images that the stack runs: what they are called, and which one exactly an environment uses."""
