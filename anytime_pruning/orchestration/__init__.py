"""Plan a study for the Snakefile, and prepare and check the machine that runs its jobs.

The Snakefile asks this package for everything that it needs and imports nothing else of the project. Modules may
import from every room but `verification` and `cli`. Only `checks` and `estimate` import torch, and `plan` calls them
only where torch is installed. Training, collecting and drawing must never be in here: jobs do these by the command
line.
"""
