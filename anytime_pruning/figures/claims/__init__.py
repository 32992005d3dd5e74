"""Compare the claims of the paper with what a study measured.

`definitions` reads config/claims.yaml, `described_runs` says where a run was made, `measures` computes the measures of
claims, `verdicts` judges, and `table` writes the result. Modules here import from the rest of `figures` and the rooms
below it. Nothing here decides what a study runs, and nothing imports matplotlib.
"""
