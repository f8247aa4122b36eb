"""Palisade: provisions, hardens and proves an audit-ready API registry fleet."""
