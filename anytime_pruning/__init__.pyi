from anytime_pruning.export.compact import make_compact as make_compact
from anytime_pruning.export.network import load_network as load_network
from anytime_pruning.foundation.registry import register as register
from anytime_pruning.models import build_model as build_model
from anytime_pruning.pruning.enforcement import MaskEnforcer as MaskEnforcer
from anytime_pruning.pruning.prunable import set_prunable as set_prunable
from anytime_pruning.pruning.pruners import score as score
from anytime_pruning.pruning.released_masks import released_masks as released_masks
from anytime_pruning.pruning.selections.unstructured import select_masks as select_masks
from anytime_pruning.runs.job import run_stream as run_stream

__version__: str
RESULTS_VERSION: int
