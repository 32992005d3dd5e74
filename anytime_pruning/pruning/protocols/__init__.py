"""Define the protocols, which are the sets of rules by which a run prunes and selects its best epoch.

A protocol decides which images are used for scoring, which weights are scored, how masks follow from the scores, and
which validation result selects the best epoch. No other part of the package asks for a protocol's name. Each protocol
is one module, which is imported here so that the protocol is registered.

This package imports from `foundation`, and only as types from its neighbours. Importing it loads no torch, because
planning and verification ask protocols for expected counts.
"""

from anytime_pruning.pruning.protocols import paper, released
from anytime_pruning.pruning.protocols.base import Protocol, PruningStep, make_protocol
from anytime_pruning.pruning.protocols.training_rules import TrainingRules

__all__ = ["Protocol", "PruningStep", "TrainingRules", "make_protocol", "paper", "released"]
