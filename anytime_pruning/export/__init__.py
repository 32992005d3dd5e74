"""Load the network of a finished run, describe the network, and write it for use elsewhere.

This package imports from `results`, `settings` and the rooms below them. It must never train or prune, and it must
never import from `runs` or `figures`.
"""
