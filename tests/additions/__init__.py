"""Holds one file for each thing that a user may add: a pruner, a schedule, a start, a selection, a figure."""
