"""Define how weights come back in dynamic sparse training: as many as are dropped, so that densities stay.

A way to regrow is an object of a subclass of `base.Regrowth`. Each is one module, which is imported here so that it is
registered. This package imports from `foundation` and from nothing else. When weights are regrown must never be here.
"""

from anytime_pruning.pruning.regrowth import none, rigl, set
from anytime_pruning.pruning.regrowth.base import Regrowth, exchange

__all__ = ["Regrowth", "exchange", "none", "rigl", "set"]
