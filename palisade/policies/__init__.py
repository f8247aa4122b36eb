"""What may not be declared, in two independent implementations: the Pulumi policy pack and the cluster's admission.

The rules themselves are data (``policies/rules.yaml``); ``docs/policies.md`` explains how the parts fit.
"""
