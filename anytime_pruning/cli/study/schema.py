"""Print the JSON schema of a configuration file: the command `schema`."""

import argparse
import json

HELP = "print the JSON schema of the configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(options: argparse.Namespace) -> None:
    """Print the JSON schema of a study's configuration file."""
    from anytime_pruning.settings.schema import study_schema

    print(json.dumps(study_schema(), indent=2))
