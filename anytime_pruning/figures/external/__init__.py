"""Put results of other people's programs beside those of a study.

This package imports from the modules of `figures` about series. It must never read files: the plan of a figure holds
the external rows.
"""
