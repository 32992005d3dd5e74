"""Adds a selection that keeps the last weights of every layer, whatever their scores."""

import torch

from anytime_pruning import register
from anytime_pruning.pruning.selections import Selection
from anytime_pruning.pruning.selections.unstructured import select_masks


class LastPlaces(Selection):
    """Ranks weights by their position and ignores the scores."""

    def select(self, scores, density, scope, kept):
        """Keep the last weights of each layer."""
        places = {name: torch.arange(score.numel()).view_as(score).float() for name, score in scores.items()}
        return select_masks(places, density, "local", kept)


register("selection", "last_places")(LastPlaces())
