"""What is inside Vault (or OpenBao): declared in ``policies/vault``, compared with what is there, and applied."""
