"""What the Pulumi program declares, found out by running it to its end without an engine and without a cluster."""
