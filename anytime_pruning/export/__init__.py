"""Take a finished network out of its run: load it, describe it, and write it for use elsewhere.

The room imports from `results`, `settings` and the rooms below. It must never train or prune, and never import from
`runs` or `figures`.
"""
