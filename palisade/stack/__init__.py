"""The stack of an environment: where its state is, what pulumi needs to work on it, and the way back from a crash."""
