"""Draw the figures and write the tables of a study from its collected tables.

`catalog` plans which figures a study has. `plots`, `tables` and `claims` hold the modules that draw and write the
figures. The modules beside these packages serve several figures: files, statistics over seeds, names and style.

This package imports from `results`, `settings`, `datasets` and `foundation`. It must never import torch, because a
checkout with results draws its figures in a small environment. Planning must not import matplotlib or pandas, because
Snakemake plans the figures each time it reads the Snakefile. The catalog therefore imports a plot only when the plot is
drawn.
"""
