"""Verification: runs the checks of ``tests/verify`` on the hosts of an environment and proves that they can fail."""
