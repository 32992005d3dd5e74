"""Answer questions about a study's configuration file: allowed names, its schema, and what it no longer names.

As in the rest of the command line, a command imports the modules that do its work only when it runs.
"""
