"""Keep an unfinished run on disk, and continue the run later.

`state.py` gathers everything that later numbers depend on, `files.py` writes and reads checkpoints, `checkpointer.py`
decides when a checkpoint is written. This package imports from the rooms below `runs`, and no settings. It must never
decide anything that changes the numbers of a run.
"""
