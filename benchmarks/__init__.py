"""Measure the speed and the memory of this project, and the spread of its results, on one machine."""
