"""Lets a bare ``pytest tests/verify --palisade-environment local`` run what ``palisade verify local`` runs."""

pytest_plugins = ["palisade.verification.plugin"]
