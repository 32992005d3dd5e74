"""The command line: `python -m anytime_pruning COMMAND`. A user's mistake is one line and exit status 2."""

import argparse
import sys
from pathlib import Path

from anytime_pruning.cli import commands
from anytime_pruning.foundation.errors import ArtifactError, one_line
from anytime_pruning.foundation.signals import Interrupted, handling
from anytime_pruning.settings.run import RunSettings


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, do what it says and return the exit status."""
    options = _make_parser().parse_args(arguments)
    try:
        with handling():
            options.command(options)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"error: {one_line(str(error.filename or 'system'))}: {error.strerror or error}", file=sys.stderr)
        return 1
    except Interrupted as signal:
        print(signal, file=sys.stderr)
        return 128 + signal.signum
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m anytime_pruning", description="Anytime Progressive Pruning")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(subparsers)

    data = subparsers.add_parser(
        "prepare", help="download or decode a dataset into the cache", description=commands.prepare.__doc__
    )
    data.set_defaults(command=commands.prepare)
    data.add_argument("dataset", help="name, or a YAML mapping with name, source and its settings")
    data.add_argument(
        "--data-dir", type=Path, default=Path("data"), help="folder of downloads and cache (default: data)"
    )

    tables = subparsers.add_parser("collect", help="runs into tables", description=commands.collect_runs.__doc__)
    tables.set_defaults(command=commands.collect_runs)
    tables.add_argument("runs_list", type=Path, help="file with the names of the runs, one a line")
    tables.add_argument("runs_dir", type=Path, help="folder of the runs")
    tables.add_argument("tables_dir", type=Path, help="folder for the tables")
    tables.add_argument("--present-only", action="store_true", help="leave out runs that are not there")

    again = subparsers.add_parser(
        "verify", help="stored results, checked again", description=commands.verify_results.__doc__
    )
    again.set_defaults(command=commands.verify_results)
    again.add_argument("paths", type=Path, nargs="+", metavar="FOLDER", help="a run, a study, or folders of them")
    again.add_argument("--no-evaluate", action="store_true", help="do not test the networks again")
    again.add_argument("--data-dir", type=Path, metavar="DIR", help="of the images (default: as the runs say)")

    listing = subparsers.add_parser("list", help="registered names", description=commands.list_registered.__doc__)
    listing.set_defaults(command=commands.list_registered)
    schema = subparsers.add_parser(
        "schema", help="JSON schema of the configuration", description=commands.print_schema.__doc__
    )
    schema.set_defaults(command=commands.print_schema)

    network = subparsers.add_parser(
        "export", help="a trained network as ONNX and sparse", description=commands.export.__doc__
    )
    network.set_defaults(command=commands.export)
    network.add_argument("run", type=Path, metavar="RUN", help="folder of the run, with config.yaml and metrics.json")
    network.add_argument("--weights", type=Path, metavar="FILE", help="its weights, if they lie elsewhere")
    network.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: that of the weights)")

    stale = subparsers.add_parser("stale", help="runs that no grid names", description=commands.find_stale.__doc__)
    stale.set_defaults(command=commands.find_stale)
    stale.add_argument("config", type=Path, help="a study's YAML file")
    stale.add_argument("--remove", action="store_true", help="remove them, with their weights")
    return parser


def _add_train(subparsers: argparse._SubParsersAction) -> None:
    """The one command that takes settings, each as a flag."""
    one = subparsers.add_parser("train", help="one run", description=commands.train.__doc__)
    one.set_defaults(command=commands.train)
    one.add_argument("--settings", metavar="JSON|FILE", help="all settings, or a run's config.yaml, instead of flags")
    one.add_argument("--digest", help="refuse to run if the settings have another digest")
    one.add_argument("--study", default="single", help="folder below results/ (default: single)")
    one.add_argument("--out", type=Path, metavar="DIR", help="run folder, instead of one named by the settings")
    one.add_argument("--weights", type=Path, metavar="FILE", help="safetensors file for the final weights")
    flags = one.add_argument_group("settings", "values are YAML; defaults are those of the released commands")
    for key, field in RunSettings.model_fields.items():
        default = "" if field.is_required() or key == "execution" else f" (default: {field.default})"
        flags.add_argument(
            f"--{key.replace('_', '-')}", dest=key, metavar="VALUE", help=f"{field.description}{default}"
        )


if __name__ == "__main__":
    sys.exit(main())
