"""Compute one run: the stream loop of the paper, and everything that a job does around the loop.

`loop.py` holds the algorithm, and `job.py` does everything before and after it. Only this package and the rooms above
it know all settings of a run; `parts.py` gives each room below the values that it uses. This package imports from
`training`, `export`, `results`, `settings`, `pruning`, `stream`, `models`, `datasets`, `machine` and `foundation`.
Grids of runs, figures and Snakemake must never be here.
"""
