"""Compare the claims of the paper with what a study measured.

`definitions` reads config/claims.yaml, `described_runs` describes the images and settings of a run, `measures` computes
the measures of claims, `verdicts` judges the claims, and `table` writes the result. This package imports from the rest
of `figures` and the rooms below it. It must never decide which runs a study has, and it must never import matplotlib.
"""
