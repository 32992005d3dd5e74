"""Compare the claims of the paper with what a study measured.

`definitions` reads config/claims.yaml, `described_runs` describes the images and settings of a run, and `measures`
computes the measures of claims. `seed_means`, `ratio_of_means` and `noisy_sizes` estimate over seeds, `decisions` holds
the rule of the verdicts, `judgement` applies the rule to one claim on one stream, `verdicts` goes through claims,
streams and protocols, and `table` writes the result. This package imports from the rest of `figures` and the rooms
below it. It must never decide which runs a study has, and it must never import matplotlib.
"""
