# The workflow's table of contents. One configuration file is one study; the default one is the demonstration.
from snakemake.utils import min_version

min_version("9.0")


# Only without a --configfile, which would be merged into it: the demonstration's settings would leak into that study.
if not workflow.configfiles:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"


# With --use-singularity, every job of these rules runs in it.
container: STUDY.container


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/walkthrough.smk"


# On a cluster: seconds each, and data is downloaded where there is a network.
localrules:
    prepare_data,
    collect_runs,
    collect_present_runs,
    write_metrics,
    plot_figure,
    write_table,
    check_claims,
    walkthrough,


onstart:
    check_executor(workflow)


report: "workflow/report/study.rst"


# The runs are named beside the figures: a figure that is there already would hide a run that is missing.
rule all:
    default_target: True
    input:
        METRICS,
        FIGURES,
        f"{CLAIMS}.md",
    message:
        f"All runs and figures of {STUDY.study} are there"


rule experiments:
    input:
        METRICS,
    message:
        f"All runs of {STUDY.study} are there"


# With the walk-through, which needs Jupyter (envs/report.txt) and so is no part of `all`: what `make report` shows.
rule report:
    input:
        FIGURES,
        f"{CLAIMS}.md",
        WALKTHROUGH,
    message:
        f"Everything that the report of {STUDY.study} shows is there"


rule paper:
    input:
        FIGURES,
        f"{CLAIMS}.md",
    message:
        f"All figures of {STUDY.study} are there"
