"""Spend an hour on a GPU well: measure, test and train in stages that can be stopped at any moment and gone on with."""
