"""Draw the figures and write the tables of a study from its collected tables.

`catalog` says which figures a study has. `plots`, `tables` and `claims` hold one module for each of them, and the
modules beside them hold what several figures share: reading and writing files, statistics over seeds, names, the look.

This room imports from `results`, `settings`, `datasets` and `foundation`. It must never import torch: a checkout with
results draws its figures in a small environment. Planning must not import matplotlib or pandas either, because a
Snakefile plans its figures each time it is read; so the catalog imports a plot only when that plot is drawn.
"""
