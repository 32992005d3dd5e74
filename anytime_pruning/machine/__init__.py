"""Prepare the machine that a run computes on: device, precision, memory, random generators, provenance.

This package imports from `foundation`. Settings models must never be here: their values arrive as plain arguments.
Nothing here knows a dataset, a network or a pruner by its name.
"""
