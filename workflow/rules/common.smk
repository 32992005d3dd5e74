# Read and check the study, plan its runs, name its files. A wrong setting is one line on the screen, before any job starts.
import re
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from snakemake_interface_executor_plugins.settings import DeploymentMethod

from anytime_pruning import layout
from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.foundation.errors import ArtifactError
from anytime_pruning.orchestration.estimate import describe_cost, read_machines
from anytime_pruning.figures.catalog import plan_figures
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.settings.study import check_runs, plan_study
from anytime_pruning.orchestration.inputs import (
    check_partitions,
    data_of_run,
    prepare_container,
    put_own_python_first,
    table_of_figure,
    write_figure_plan,
    write_runs_list,
)

try:
    # Again: Snakemake takes the last of two values of one key.
    for file in workflow.configfiles:
        read_yaml(file)
    STUDY, PLANNED = plan_study(config)
    if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
        prepare_container(STUDY.container)
    MISSING = [run for run in PLANNED if not (layout.run_dir(STUDY.study, run.name) / layout.METRICS).exists()]
    # Models and pruners register themselves with their code, which needs torch; drawing figures does not.
    if MISSING and find_spec("torch"):
        check_runs(run.settings for run in MISSING)
    PLANNED_FIGURES = plan_figures(PLANNED)
    TABLES_DIR = f"results/{STUDY.study}/tables"
    # The grid and its figures as files, which jobs read. Collecting runs depends on the first: a grid edited back to old
    # runs still rebuilds the tables.
    RUNS_LIST, FIGURE_PLAN = (f"results/{STUDY.study}/{name}" for name in ("runs.txt", "figures.json"))
    write_runs_list(Path(RUNS_LIST), [run.name for run in PLANNED], Path(TABLES_DIR) / "runs.csv")
    write_figure_plan(Path(FIGURE_PLAN), PLANNED_FIGURES)
except ArtifactError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_status)
except OSError as error:
    print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
    sys.exit(1)

put_own_python_first()
RUNS = {run.name: run.settings for run in PLANNED}
RUNS_DIR = layout.runs_dir(STUDY.study)
FIGURES_DIR = f"paper_figures/{STUDY.study}"
LOGS_DIR = f"results/{STUDY.study}/logs"
METRICS = [f"{RUNS_DIR}/{name}/{layout.METRICS}" for name in RUNS]

logger.info(f"Study {STUDY.study}: {len(RUNS)} runs, {len(MISSING)} of them to train.")
if MISSING:
    machines = read_machines(Path(workflow.basedir) / "benchmarks" / "results")
    if estimate := describe_cost((run.settings for run in MISSING), machines):
        logger.info(estimate)


def check_executor(workflow):
    """Before the first job is submitted to a cluster: it is there, and as the profile says."""
    if workflow.executor_plugin.name != "slurm":
        return
    given = [rule.resources["slurm_partition"] for rule in workflow.rules if "slurm_partition" in rule.resources]
    try:
        check_partitions(str(partition.raw) for partition in given)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
