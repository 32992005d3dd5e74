"""Provide the tools that every other room needs: errors, settings files, files on disk, the registry, metrics.

This package imports nothing else of this project. At import time it loads neither torch nor torchvision. Code that
knows a dataset, a network, a pruner, a setting by its name, or a run must never be here.
"""
