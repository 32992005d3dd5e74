"""Hold everything that a run leaves on disk: names of files, rows of tables, metrics.json, and the collected tables.

The room imports from `settings` and the rooms below. It must never import torch, and only `collect` may import pandas:
results are planned, read and collected on machines that cannot train.
"""
