"""Offer the command line. Each command has a module with `HELP`, `add_arguments` and `run`.

This package is the roof and may import from every room, but only inside functions: a command imports what does its
work when it runs. Drawing therefore never waits for torch, training never waits for matplotlib, and `--help` waits for
neither. Nothing imports from here. What a command computes belongs into the room below; here are its options and the
lines that it prints.
"""
