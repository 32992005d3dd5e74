"""Prepare the machine that a run computes on: device, precision, memory, random generators, provenance.

May import: `foundation`, and torch.
Never belongs here: settings models, whose single values arrive as plain arguments; datasets, networks and pruners by
name.
"""
