# Ask the package for the plan of the study. A wrong setting ends in one line, before any job starts.
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from anytime_pruning.orchestration.inputs import data_of_run, runs_by_cache_file, sources, tables_of_figure
from anytime_pruning.orchestration.jobs import prepare_jobs
from anytime_pruning.orchestration.mistakes import mistakes_in_one_line
from anytime_pruning.orchestration.plan import plan
from anytime_pruning.orchestration.slurm import check_partitions
from anytime_pruning.orchestration.study_paths import COLLECTED_TABLES

# A module must neither print nor exit: its caller gets the same line as an error of Snakemake's own kind.
with mistakes_in_one_line(WorkflowError if IS_MODULE else None):
    PLAN = plan(config, () if IS_MODULE else workflow.configfiles)
    PROGRAM = prepare_jobs(PLAN.container, DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method)
    PLAN.write()

PATHS = PLAN.paths
for line in PLAN.describe():
    logger.info(line)


def program(wildcards):
    """Return the command that runs the package; as a parameter, because the shell command of a module sees no variable."""
    return PROGRAM


def check_executor(workflow):
    """Check before the first job is submitted to Slurm that Slurm answers and has what the profile names."""
    if workflow.executor_plugin.name == "slurm":
        given = [rule.resources["slurm_partition"] for rule in workflow.rules if "slurm_partition" in rule.resources]
        with mistakes_in_one_line():
            check_partitions(str(partition.raw) for partition in given)
