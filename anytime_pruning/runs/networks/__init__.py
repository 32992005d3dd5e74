"""Build the network of a run, and look at it once before anything is trained.

`trial.py` passes images through the network in both modes, and `precision.py` tries the precision of the run. Training
and pruning must never be here.
"""

from anytime_pruning.runs.networks.build import build_network
from anytime_pruning.runs.networks.precision import choose_network_precision

__all__ = ["build_network", "choose_network_precision"]
