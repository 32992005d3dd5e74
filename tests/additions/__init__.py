"""Holds one file for each thing that a user may add: a pruner, a schedule, a replay policy, a dataset and others."""
