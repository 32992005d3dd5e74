"""Gather what a GPU machine without a network needs, in pieces that are small enough to be carried there."""
