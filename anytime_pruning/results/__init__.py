"""Define, write and read the files of runs: names of files, rows of tables, metrics.json, and the collected tables.

This package imports from `settings` and the rooms below it. It must never import torch, and only `collect` may import
pandas, because results are planned, read and collected on machines that cannot train.
"""
