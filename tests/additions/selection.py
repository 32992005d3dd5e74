"""Adds a selection: in every layer, whichever weights come last stay."""

import torch

from anytime_pruning import register
from anytime_pruning.pruning.selections import Selection
from anytime_pruning.pruning.selections.unstructured import count_weights, select_masks


class LastPlaces(Selection):
    """Ignores the scores and ranks weights by their position."""

    def select(self, scores, density, scope, kept):
        """Keep the last weights of each layer."""
        places = {name: torch.arange(score.numel()).view_as(score).float() for name, score in scores.items()}
        return select_masks(places, density, "local", kept)

    def count(self, n_prunable, density):
        """Say how many weights stay, as for the paper's selection."""
        return count_weights(n_prunable, density)


register("selection", "last_places")(LastPlaces())
