"""Name the code that is changed, by parts of the method, and the tests that have to notice it."""

from dataclasses import dataclass

PACKAGE = "anytime_pruning"
# Percent of all mutants that the tests must notice.
TARGET = 85.0


@dataclass(frozen=True)
class Room:
    """Holds a part of the method.

    Attributes:
        modules: patterns of modules inside of the package.
        tests: files of tests. They run in the process of the mutants, so tests that start processes are left out.
        target: percent of the mutants that these tests must notice.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    target: float = TARGET


MASKS = tuple(
    f"tests/pruning/test_{name}.py"
    for name in ("mask_chooser", "masks", "pruning", "released_masks", "released_protocol", "selections")
)
STREAM = tuple(f"tests/stream/test_{name}.py" for name in ("images", "replay", "sizes", "stream"))
ROOMS = {
    "masks": Room(
        tuple(
            f"pruning/{name}.py" for name in ("masks", "mask_chooser", "enforcement", "released_masks", "selections/*")
        ),
        MASKS,
        target=95,
    ),
    "pruners": Room(
        ("pruning/pruners/*.py",),
        tuple(f"tests/pruning/test_{name}.py" for name in ("prunable", "pruners", "scores_without_information")),
    ),
    "schedules": Room(
        tuple(f"pruning/{name}/*.py" for name in ("schedules", "protocols", "regrowth")),
        (
            "tests/pruning/test_pruning.py",
            "tests/pruning/test_released_protocol.py",
            "tests/pruning/test_schedules.py",
            "tests/training/test_regrowing.py",
        ),
    ),
    "stream": Room(("stream/*.py",), STREAM),
    "metrics": Room(
        ("foundation/metrics.py", "figures/series_metrics.py"),
        ("tests/foundation/test_metrics.py", "tests/figures/test_tables.py", "tests/pruning/test_released_protocol.py"),
        target=95,
    ),
    "records": Room(
        ("results/records.py", "results/rows.py", "results/metrics_file/*.py"),
        ("tests/results/test_records.py", "tests/results/test_metrics_file.py"),
    ),
    "checkpoint": Room(
        ("runs/checkpointing/*.py",),
        tuple(
            f"tests/runs/checkpointing/test_{name}.py"
            for name in ("checkpoint", "checkpointer", "corrupt_checkpoints", "run_state")
        ),
    ),
    "digest": Room(
        (
            "foundation/source_code/*.py",
            "results/variants.py",
            "settings/naming.py",
            "settings/own_code.py",
            "settings/own_files.py",
            "settings/versions.py",
            "settings/run/*.py",
        ),
        (
            "tests/foundation/test_source_code.py",
            "tests/pruning/test_schedules.py",
            "tests/results/test_variants.py",
            "tests/settings/test_meaning.py",
            "tests/settings/test_own_code.py",
            "tests/settings/test_run_settings.py",
            "tests/settings/test_study.py",
            "tests/settings/test_versions.py",
            "tests/settings/test_what_settings_ask.py",
        ),
    ),
    "statistics": Room(
        ("figures/seed_statistics.py", "figures/reversals/*.py"),
        ("tests/figures/test_reversals.py", "tests/figures/test_seed_statistics.py"),
        target=95,
    ),
    "claims": Room(
        ("figures/claims/*.py",), ("tests/figures/test_claims.py", "tests/figures/test_claims_decisions.py")
    ),
}
# These tests of the files above start processes, need stored results, or take many seconds.
LEFT_OUT = (
    "tests/figures/test_reversals.py::test_a_false_positive_is_as_rare_as_the_level_says",
    "tests/results/test_metrics_file.py::test_a_new_file_is_what_the_model_writes_in_the_order_of_its_fields",
    "tests/results/test_metrics_file.py::test_reading_results_loads_neither_torch_nor_pandas",
    "tests/settings/test_own_code.py::test_files_in_the_package_count_alike_with_and_without_torch",
    "tests/settings/test_own_code.py::test_every_part_of_this_project_and_its_module_are_named",
    "tests/settings/test_study.py::test_as_many_runs_as_are_allowed_are_planned",
    "tests/settings/test_study.py::test_the_studies_are_the_ones_described",
    "tests/settings/test_versions.py::test_stored_runs_of_the_papers_protocol_are_found",
)
