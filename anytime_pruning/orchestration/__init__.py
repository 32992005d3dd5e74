"""Plan a study for the Snakefile, and prepare and check the machine that runs its jobs.

The Snakefile imports this package and nothing else of the project. This package imports from every room except
`verification` and `cli`. Only `checks` and `forecast` import torch, and `plan` calls these two only if torch is
installed. Training, collecting and drawing must never be here, because jobs do them through the command line.
"""
