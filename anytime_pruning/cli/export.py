"""Export a trained network: the command `export`."""

import argparse
from pathlib import Path

HELP = "write a trained network as ONNX and as a sparse file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run, with config.yaml and metrics.json")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the run, if they are not at their usual place"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the files (default: the folder of the weights)"
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--sparse-only", action="store_true", help="write the sparse file alone, without ONNX")
    forms.add_argument(
        "--compact",
        action="store_true",
        help="also write the network without its empty channels (for runs with selection filter)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the network of a finished run as ONNX and as a sparse file, and without its empty channels if asked."""
    from anytime_pruning.export.onnx import export_run

    written = export_run(options.run, options.weights, options.out, options.compact, options.sparse_only)
    for path in written.values():
        print(f"{path}: {path.stat().st_size:,} bytes")
    if options.compact:
        print("The compact files hold a smaller dense network with the same logits.")
    print("Scattered zeros make the sparse file smaller; dense hardware runs the network no faster for them.")
