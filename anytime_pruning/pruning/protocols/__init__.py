"""Protocols: a file for each set of rules by which a run prunes and selects, imported here so that each is registered.

A protocol answers which images are scored on, which weights are scored, how masks follow from the scores, and which
validation result selects the best epoch. Nothing else asks for a protocol's name.

This package is torch-free when it is imported, because planning and verification ask it for expected counts. The
tensors that it handles belong to the objects it is given.
"""

from anytime_pruning.pruning.protocols import paper, released
from anytime_pruning.pruning.protocols.base import Protocol, make_protocol

__all__ = ["Protocol", "make_protocol", "paper", "released"]
