"""Tabulate the results of a study, one module for each table.

`tabulate` in each module takes rows of one collected table and returns the cells as texts, a note below the table, and
the numbers. `cells` holds what several tables share. Modules here import from the rest of `figures`, but never from
`catalog` or `draw`, which know the tables by name. They read and write no files, and they never import matplotlib.
"""
