# Ask the package for the plan of the study. A wrong setting ends in one line, before any job starts.
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from anytime_pruning.orchestration.calls.handover import pack
from anytime_pruning.orchestration.calls.locks import check_owner, replace_lock_message
from anytime_pruning.orchestration.calls.metadata import hide_missing_metadata
from anytime_pruning.orchestration.calls.products import Products
from anytime_pruning.orchestration.inputs import data_of_run, runs_by_cache_file
from anytime_pruning.orchestration.jobs import prepare_jobs
from anytime_pruning.orchestration.mistakes import mistakes_in_one_line
from anytime_pruning.orchestration.plan import plan
from anytime_pruning.orchestration.slurm import check_partitions

# A module must neither print nor exit: its caller gets the same line as an error of Snakemake's own kind.
with mistakes_in_one_line(WorkflowError if IS_MODULE else None):
    PLAN = plan(config, () if IS_MODULE else workflow.configfiles)
    PROGRAM = prepare_jobs(PLAN.container, DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method)

PATHS, STUDY = PLAN.paths, pack(config)
# Snakemake adds to these files, too, while it asks for the inputs of jobs: the incomplete ones.
PRODUCTS = Products(PLAN, lambda files: workflow.dag.forcefiles.update(files), ancient)
CLAIMS, NOTEBOOK = find_file("config/claims.yaml"), find_file("workflow/notebooks/walkthrough.ipynb")

# The lines say what data is missing, and for that look into folders that may be somebody else's.
with mistakes_in_one_line(WorkflowError if IS_MODULE else None):
    check_owner(Path.cwd())
    for line in PLAN.describe():
        logger.info(line)


def program(wildcards):
    """Return the command that runs the package; as a parameter, because the shell command of a module sees no variable."""
    return PROGRAM


def refuse(error):
    """End this call with one line; a module returns the line to its caller."""
    if not IS_MODULE:
        with mistakes_in_one_line():
            raise error
    return f"error: {error}"


logger.addFilter(replace_lock_message(refuse))
logger.addFilter(hide_missing_metadata)


def check_executor(workflow):
    """Check before the first job is submitted to Slurm that Slurm answers and has what the profile names."""
    if workflow.executor_plugin.name == "slurm":
        given = [rule.resources["slurm_partition"] for rule in workflow.rules if "slurm_partition" in rule.resources]
        with mistakes_in_one_line():
            check_partitions(str(partition.raw) for partition in given)
