"""Run one command of the command line, and report a user's mistake in one line with exit status 2."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from anytime_pruning.cli import claims, collect, draw, export, metrics, prepare, train, verify, workflow
from anytime_pruning.cli.study import external, names, plan, report, schema, stale, stream, studies, walkthrough
from anytime_pruning.foundation.console import escape_what_cannot_be_printed
from anytime_pruning.foundation.errors import ArtifactError, describe_system_error, one_line
from anytime_pruning.foundation.packages import naming_missing_package
from anytime_pruning.foundation.signals import Interrupted, handling
from anytime_pruning.machine.collector import defer_collections

SCRIPT = "anytime-pruning"


class Command(Protocol):
    """Describes the module of a command.

    Attributes:
        HELP: one line for the list of all commands.
    """

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the command."""

    def run(self, options: argparse.Namespace) -> None:
        """Run the command with given options; `--help` shows this docstring as the description."""


COMMANDS: dict[str, Command] = {
    "train": train,
    "prepare": prepare,
    "stream": stream,
    "import": external,
    "collect": collect,
    "draw": draw,
    "claims": claims,
    "metrics": metrics,
    "walkthrough": walkthrough,
    "report": report,
    "verify": verify,
    "export": export,
    "list": names,
    "plan": plan,
    "schema": schema,
    "stale": stale,
    "studies": studies,
    "workflow": workflow,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: arguments of the command line without the program; None means the arguments of this process.

    Returns:
        The exit status: 0 for success, 2 for a user's mistake, 1 for any other failure, or 128 plus the number of a
        signal that stopped the command.
    """
    escape_what_cannot_be_printed()
    if arguments is None:
        defer_collections()
        arguments = sys.argv[1:]
    options = _make_parser(arguments[:1]).parse_args(arguments)
    try:
        with handling(), naming_missing_package():
            COMMANDS[options.command].run(options)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        given = _find_argument(options, error)
        refused = one_line(f"{given}: {error.filename!r} is not allowed: {error.strerror}")
        print(f"error: {refused if given else describe_system_error(error)}", file=sys.stderr)
        return 2 if given else 1
    except Interrupted as signal:
        print(signal, file=sys.stderr)
        return 128 + signal.signum
    return 0


def _find_argument(options: argparse.Namespace, error: OSError) -> str | None:
    """Return the name of the argument whose path, or a folder above it, is not there or of the wrong kind.

    Any other failure, such as a full disk or a refused permission, is no mistake in an argument.
    """
    kinds = FileNotFoundError | NotADirectoryError | IsADirectoryError | FileExistsError
    if not isinstance(error, kinds) or not isinstance(error.filename, str | Path):
        return None
    for name, value in vars(options).items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, str | Path) and Path(error.filename) in (Path(path), *Path(path).parents):
                return name
    return None


def _make_parser(chosen: Sequence[str]) -> argparse.ArgumentParser:
    """Make a parser that lists all commands and knows the options of the chosen command.

    Args:
        chosen: the name of the chosen command, or nothing. The options of other commands are left out, because the
            options of `train` are the settings, which take time to import.
    """
    program = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m anytime_pruning"
    parser = argparse.ArgumentParser(prog=program, description="Anytime Progressive Pruning")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.run.__doc__)
        if name in chosen:
            command.add_arguments(subparser)
    return parser
