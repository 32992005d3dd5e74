"""Train one run: the command `train`, which takes every setting as an option."""

import argparse
from pathlib import Path
from typing import Any

HELP = "train one run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and one option for each setting."""
    from anytime_pruning.settings.run import RunSettings

    parser.add_argument(
        "--settings", metavar="JSON|FILE", help="all settings, or a run's config.yaml, instead of single options"
    )
    parser.add_argument("--digest", help="refuse to run if the settings have another digest")
    parser.add_argument("--study", default="single", help="folder below results/ (default: single)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder, instead of one named by the settings")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="safetensors file for the final weights")
    said = "values are YAML; defaults are those of the published code's commands"
    flags = parser.add_argument_group("settings", said)
    for key, field in RunSettings.model_fields.items():
        is_shown = not field.is_required() and field.default is not None and key not in ("execution", "own_code")
        default = f" (default: {_as_yaml(field.default)})" if is_shown else ""
        flags.add_argument(_flag(key), dest=key, metavar="VALUE", help=f"{field.description}{default}")


def run(options: argparse.Namespace) -> None:
    """Train one run into its folder below `results/<study>/runs/`, unless its results already exist."""
    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.foundation.fields import check_name
    from anytime_pruning.results import layout
    from anytime_pruning.settings.naming import run_name
    from anytime_pruning.settings.run import parse_settings

    settings = parse_settings(_given_settings(options))
    if options.digest not in (None, settings.digest()):
        raise SettingError(
            f"digest: {options.digest} is not allowed: these settings have digest {settings.digest()}; "
            "the code that planned this run is not the code that runs it"
        )
    name = run_name(settings)
    study = check_name("study", options.study)
    out_dir = options.out or layout.run_dir(study, name)
    weights = options.weights or (None if options.out else layout.weights_path(study, name))

    # torch is imported only now, so that mistakes in the settings are reported at once.
    from anytime_pruning.orchestration.checks import check_runs
    from anytime_pruning.runs.job import run_stream

    check_runs([settings])
    final = run_stream(settings, out_dir, weights)["final"]
    print(
        f"test accuracy {final['test_acc_pct']:.2f} %, CER {final['cumulative_error_count']} errors "
        f"({100 * final['cumulative_error_rate']:.1f} %), density {final['density']:.3f}; in {out_dir}"
    )


def _given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives as JSON, as a file, or as one option for each setting."""
    from anytime_pruning.foundation.errors import SettingError, show
    from anytime_pruning.foundation.safe_text import parse_json, parse_yaml, read_yaml
    from anytime_pruning.settings.run import RunSettings

    flags = {
        key: parse_yaml(f"{key}: {show(text)}", text)
        for key in RunSettings.model_fields
        if (text := getattr(options, key)) is not None
    }
    if options.settings is None:
        return flags
    if flags:
        raise SettingError(f"settings: not allowed together with {_flag(next(iter(flags)))}")
    if not options.settings.lstrip().startswith("{"):
        return read_yaml(Path(options.settings))
    settings: dict[str, Any] = parse_json("settings", options.settings)
    return settings


def _as_yaml(default: Any) -> str:
    """Return a default value as the YAML that a user would write, in one line."""
    import yaml

    value = list(default) if isinstance(default, tuple) else default
    # A scalar alone would end with the line `...`, so the value is written as the only entry of a list.
    return yaml.safe_dump([value], default_flow_style=True, width=1000).strip()[1:-1]


def _flag(key: str) -> str:
    """Return the name of the option for a setting."""
    return f"--{key.replace('_', '-')}"
