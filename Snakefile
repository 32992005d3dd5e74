# The workflow's table of contents. One configuration file is one study; the default study is the demonstration.
from snakemake.utils import min_version

min_version("9.0")

# Snakemake imports from the folder of this file, or of the installed package.
from anytime_pruning.foundation.search_path import prefer_own_packages

prefer_own_packages()
from anytime_pruning.orchestration.inputs import find_file

IS_MODULE = not workflow.modifier.is_main_snakefile()

# A --configfile would be merged into the default study, whose settings would leak into the user's own. A module is given
# its configuration by its caller, and the files that Snakemake knows are the caller's.
if not (config if IS_MODULE else workflow.configfiles):

    configfile: find_file("config/demo.yaml")


include: "workflow/rules/common.smk"


# With --use-singularity, every job of these rules runs in this image.
container: PLAN.container


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"


onstart:
    check_executor(workflow)


report: "workflow/report/study.rst"


# Targets name what they stand on, because an existing figure would hide that a run or a table is missing. The tables of a study
# with missing runs are out of date, so that `paper` and `report` train these runs, too, unless only rules that draw are allowed.
rule all:
    default_target: True
    input:
        PLAN.run_metrics(),
        PLAN.tables(),
        PLAN.shown_files(),
    message:
        f"All runs and figures of {PATHS.study} are there"


rule experiments:
    input:
        PLAN.run_metrics(),
    message:
        f"All runs of {PATHS.study} are there"


# This is what `make report` writes. The walk-through needs Jupyter (envs/report.txt), so the report is not in `all`.
rule report:
    input:
        PLAN.tables(),
        PLAN.shown_files(),
        PATHS.report,
    message:
        f"The report is {PATHS.report}"


rule paper:
    input:
        PLAN.tables(),
        PLAN.shown_files(),
    message:
        f"All figures of {PATHS.study} are there"
