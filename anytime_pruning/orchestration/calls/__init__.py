"""Serve one call of Snakemake: where it may work, what it makes, the plan for its jobs, and who else works here."""
