"""Serve one call of Snakemake: find what it has to make, hand the plan to its jobs, and name who else works here."""
