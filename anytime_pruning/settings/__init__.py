"""Turn a configuration file into the list of runs that the file describes.

`run` and `execution.py` define the settings of one run, `naming.py` makes the name of a run, and `versions.py` holds
the versions of rules that concern only some runs. `own_code.py` identifies the parts that are not among the
`shipped.py`. `study.py` defines a configuration file and expands its grid with `grid.py` and `dataset_entries.py`.
`schema.py` makes the JSON schema of such a file. `cost.py` counts the samples that a run will need.

This package imports from `pruning`, `stream`, `datasets` and `foundation`. It must never import torch, and it opens no
files but those of a user's own code, because the workflow plans with it before anything else is installed or
downloaded. Names of models, pruners and other parts are checked later, where they are looked up.
"""
