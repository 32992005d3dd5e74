"""Compute one run: the stream loop of the paper, and a job's life around it.

`loop.py` is the algorithm, `job.py` everything before and after it. The whole settings of a run are known here and in
no room below; `parts.py` hands out what others need. This package imports from `training`, `export`, `results`,
`settings`, `pruning`, `stream`, `models`, `datasets`, `machine` and `foundation`. Grids of runs, figures and Snakemake
never appear here.
"""
