"""Tabulate the results of a study, one module for each table.

The function `tabulate` in each module takes rows of one collected table and returns the cells as texts, a note below
the table, and the numbers. `cells` serves several tables. This package imports from the rest of `figures`, but never
from `catalog` or `draw`, which know the tables by name. It must never read or write files or import matplotlib.
"""
