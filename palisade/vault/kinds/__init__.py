"""How each kind of entry is compared with Vault and made: one module per kind."""

from palisade.vault.kinds.table import find_change

__all__ = ["find_change"]
