"""Offer the commands about a study as a whole: its configuration, its plan, its streams, its pages and its left-overs.

As in the rest of the command line, a command imports the modules that do its work only when it runs.
"""
