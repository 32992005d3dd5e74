"""Do what a run does around the training on one megabatch: start it, prune the network, and record the results.

This package imports from `runs.starts`, `runs.checkpointing`, `training`, `pruning`, `results`, `settings` and below.
The order of the steps is that of `runs.loop` and must never be here.
"""
