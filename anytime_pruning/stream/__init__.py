"""Decide which images a run uses at which time, and make batches of them.

The training set is cut into a stream of megabatches, which arrive one after another. Replay policies choose the earlier
images that are used again, and images become batches on the training device. `sizes.py` counts images without importing
torch, because planning needs the counts. This package imports from `foundation`. Networks, masks and settings must
never be here.
"""
