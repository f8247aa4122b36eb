"""Provisioning for real: Karpenter buys simulated machines on a control plane without kubelets."""
