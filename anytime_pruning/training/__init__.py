"""Trains a network on one megabatch: epochs of SGD with enforced masks, validation, and the best weights restored.

This package imports from `results.rows`, `pruning`, `stream`, `machine` and `foundation`. It takes plain values and
`TrainingOptions`. What a run is, what it leaves on disk and which megabatch comes next never appear here.
`learning_rate.py` imports no torch, because verification uses it.
"""
