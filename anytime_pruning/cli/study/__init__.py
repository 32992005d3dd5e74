"""Commands about a study's configuration file: the names it may use, its form, and the runs it no longer names.

As everywhere on the command line, modules import what does their work only when the command runs.
"""
