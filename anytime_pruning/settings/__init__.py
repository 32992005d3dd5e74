"""Settings: from a YAML file to the list of runs that it describes.

`run.py` and `execution.py` define the settings of one run, and `naming.py` its name. `study.py` defines a
configuration file and expands its grid with `grid.py` and `dataset_entries.py`; `schema.py` makes its JSON schema.
`cost.py` counts the samples that a run will need.

This package imports from `pruning.schedules`, `datasets` and `foundation`. It never imports torch and opens no file:
the workflow plans with it before anything else is installed or downloaded. Whether a model, a pruner or another name
is registered is checked where the name is looked up.
"""
