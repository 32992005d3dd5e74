"""Answer questions about a study's configuration file: allowed names, its form, and runs that the file no longer names.

As everywhere on the command line, modules import what does their work only when the command runs.
"""
