"""Train a network on one megabatch: run epochs of SGD with enforced masks, validate, and restore the best weights.

This package imports `results.rows`, and the rooms below `settings`. It takes plain values and `TrainingOptions`.
Settings, files and the order of megabatches must never be here. `learning_rate.py` imports no torch, because
verification uses it.
"""
