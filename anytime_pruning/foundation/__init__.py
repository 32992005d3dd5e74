"""Hold what every other room builds on: errors, settings files, files on disk, the registry, counts.

May import: nothing of this project, and at import time neither torch nor torchvision.
Never belongs here: anything that knows a dataset, a network, a pruner, a setting by name, or a run.
"""
