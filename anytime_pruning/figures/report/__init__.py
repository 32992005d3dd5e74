"""Make the pages that a reader opens: the executed notebook of a study, and the report with everything that it shows.

`notebook.py` runs the notebook, and `page.py` writes the report with `page.html`, a template of Jinja. This package
imports from the figures' catalogue, `results` and `foundation`. Its pages must load nothing from the network.
"""
