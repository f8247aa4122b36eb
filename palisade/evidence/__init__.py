"""Turns a verification run into an evidence bundle that people, pipelines and auditors can each read."""

from palisade.evidence.bundle import EvidencePaths, bundle_directory, write_bundle
from palisade.evidence.summary import Summary, summarise

__all__ = ["EvidencePaths", "Summary", "bundle_directory", "summarise", "write_bundle"]
