"""Say before any job starts what a study takes: hours, data that is missing, and disk space.

`estimate.py` and `machines.py` turn operations into hours by measured speeds, and `preflight.py` looks at data and the
disk. This package imports from `settings` and the rooms below it, and torch with them.
"""
