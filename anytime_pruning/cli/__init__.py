"""Offer the command line, in which each command is one module with `HELP`, `add_arguments` and `run`.

This package is the top of the house: it imports from every room, and no room imports from it. A command imports the
modules that do its work inside its `run` function. Drawing therefore never waits for torch, training never waits for
matplotlib, and `--help` waits for neither. This package holds options and printed lines; code that computes results
must never be here.
"""

from anytime_pruning.foundation.search_path import prefer_own_packages

# This is done before any command, or the module of one, imports a package.
prefer_own_packages()
