"""Draw what several kinds of pictures have in common: panels, groups of series, lines and dots.

This package imports from the rest of `figures`, but never from the modules of `plots` that draw whole pictures.
"""
