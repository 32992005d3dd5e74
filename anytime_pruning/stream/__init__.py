"""Says which images are used when, and hands them out as batches.

The stream is cut into megabatches here, replay policies choose what is trained on, and images become batches on the
training device. This package imports from `machine` and `foundation`. Networks, masks and settings never appear here.
"""
