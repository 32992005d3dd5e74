"""Keep an unfinished run on disk, and go on with it later.

`state.py` gathers everything that later numbers depend on, `files.py` writes and reads checkpoints, `checkpointer.py`
decides when one is written. This package imports from `training`, `results`, `pruning`, `machine` and `foundation`.
What a run computes is never decided here.
"""
