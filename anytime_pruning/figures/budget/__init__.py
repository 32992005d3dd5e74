"""Compare what series reach with the same computation.

This package imports from `figures` and `foundation`. It must never draw or write cells.
"""
