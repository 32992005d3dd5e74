"""Export a trained network: the command `export`."""

import argparse
from pathlib import Path

HELP = "write a trained network as ONNX and sparse"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run, with config.yaml and metrics.json")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the run, if they lie elsewhere")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the files (default: the folder of the weights)"
    )


def run(options: argparse.Namespace) -> None:
    """Write the network of a finished run as ONNX and as a compact file of the weights that were kept."""
    from anytime_pruning.export.onnx import export_run

    for path in export_run(options.run, options.weights, options.out).values():
        print(f"{path}: {path.stat().st_size:,} bytes")
    print("Scattered zeros make the sparse file smaller; dense hardware runs the network no faster for them.")
