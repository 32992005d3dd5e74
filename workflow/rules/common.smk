# Ask the package for the plan of the study. A wrong setting ends in one line, before any job starts.
import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from anytime_pruning.orchestration.calls.handover import pack
from anytime_pruning.orchestration.calls.locks import check_owner, replace_lock_message
from anytime_pruning.orchestration.calls.logs import name_copies_of_logs
from anytime_pruning.orchestration.calls.metadata import hide_missing_metadata
from anytime_pruning.orchestration.calls.object_store import check_data_travels, open_store
from anytime_pruning.orchestration.calls.products import Products
from anytime_pruning.orchestration.calls.stored_products import StoredProducts
from anytime_pruning.orchestration.inputs import runs_by_cache_file
from anytime_pruning.orchestration.jobs import in_folder, prepare_jobs
from anytime_pruning.orchestration.mistakes import mistakes_in_one_line
from anytime_pruning.orchestration.places import check_places
from anytime_pruning.orchestration.plan import plan
from anytime_pruning.orchestration.slurm import check_partitions

# None if all files lie in the working folder. Otherwise jobs work in a folder of copies, and what lies in the checkout and is no
# object has an absolute path.
STORE = open_store(workflow)
# A module must neither print nor exit: its caller gets the same line as an error of Snakemake's own kind.
with mistakes_in_one_line(WorkflowError if IS_MODULE else None):
    check_places()
    PLAN = plan(config, () if IS_MODULE else workflow.configfiles, STORE.exists if STORE else os.path.exists)
    if STORE:
        check_data_travels(PLAN.runs.values())
    STUDY = pack(config)
    PROGRAM = prepare_jobs(PLAN.container, DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method)

PATHS = PLAN.paths
JOB_FOLDER = STORE.folder if STORE else "."
PROGRAM_IN_JOB_FOLDER = in_folder(JOB_FOLDER, PROGRAM) if STORE else PROGRAM
CLAIMS, NOTEBOOK = [
    os.path.abspath(file) if STORE else file
    for file in map(find_file, ("config/claims.yaml", "workflow/notebooks/walkthrough.ipynb"))
]


def force(files):
    """Let Snakemake make files again; it adds to these, too, while it asks for the inputs of jobs: the incomplete ones."""
    workflow.dag.forcefiles.update(files)


PRODUCTS = StoredProducts(PLAN, STORE, force, local) if STORE else Products(PLAN, force, ancient)
# The lines say what data is missing, and for that look into folders that may be somebody else's.
with mistakes_in_one_line(WorkflowError if IS_MODULE else None):
    check_owner(Path.cwd())
    for line in PLAN.describe(is_stored=STORE is not None):
        logger.info(line)


def program(wildcards):
    """Return the command that runs the package; as a parameter, because the shell command of a module sees no variable."""
    return PROGRAM_IN_JOB_FOLDER


def program_of_checkout(wildcards):
    """Return the same for a job that reads what lies in the checkout and is no object."""
    return PROGRAM


def kept(files):
    """Mark outputs that stay as they were if their job fails, which Snakemake can do for files and not for objects."""
    return files if STORE else update(files)


def refuse(error):
    """End this call with one line; a module returns the line to its caller."""
    if not IS_MODULE:
        with mistakes_in_one_line():
            raise error
    return f"error: {error}"


logger.addFilter(replace_lock_message(refuse))
logger.addFilter(hide_missing_metadata)
if STORE:
    logger.addFilter(name_copies_of_logs(STORE))


def check_executor(workflow):
    """Check before the first job is submitted to Slurm that Slurm answers and has what the profile names."""
    if workflow.executor_plugin.name == "slurm":
        given = [rule.resources["slurm_partition"] for rule in workflow.rules if "slurm_partition" in rule.resources]
        with mistakes_in_one_line():
            check_partitions(str(partition.raw) for partition in given)
