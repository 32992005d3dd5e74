"""Adds a selection that keeps the last weights of every layer, whatever their scores."""

import torch

from anytime_pruning import register
from anytime_pruning.pruning.selections import Selection
from anytime_pruning.pruning.selections.unstructured import count_weights, select_masks


class LastPlaces(Selection):
    """Ranks weights by their position and ignores the scores."""

    def select(self, scores, density, scope, kept):
        """Keep the last weights of each layer."""
        places = {name: torch.arange(score.numel()).view_as(score).float() for name, score in scores.items()}
        return select_masks(places, density, "local", kept)

    def count(self, n_prunable, density):
        """Count the weights that stay, as the paper's selection does."""
        return count_weights(n_prunable, density)


register("selection", "last_places")(LastPlaces())
