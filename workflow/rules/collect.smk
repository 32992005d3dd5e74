# Collect all runs of the study in four tidy tables, which are all that the figures read.
rule collect_runs:
    input:
        runs=PATHS.runs_list,
        metrics=PLAN.run_metrics(),
        code=sources("results"),
    output:
        [PATHS.table(name) for name in COLLECTED_TABLES],
    log:
        f"{PATHS.logs}/collect_runs.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
        option="",
    message:
        "Collecting the runs into tables"
    shell:
        "{params.program} collect {input.runs:q} {params.runs_dir:q} {params.tables_dir:q} {params.option} > {log:q} 2>&1"


# Collect only the runs that are done. `make figures` allows this rule and none that trains. A figure looks for its runs in
# the tables: it is not drawn if some of them are missing, and names these.
use rule collect_runs as collect_present_runs with:
    input:
        runs=PATHS.runs_list,
        metrics=PLAN.present_run_metrics(),
        code=sources("results"),
    params:
        program=program,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
        option="--present-only",


ruleorder: collect_runs > collect_present_runs


# Write a few numbers for each series, for `dvc metrics`. The output is a folder, because the grid determines the series.
rule write_metrics:
    input:
        table=PATHS.table("runs"),
        code=sources("figures"),
    output:
        directory(PATHS.metrics),
    log:
        f"{PATHS.logs}/write_metrics.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
    message:
        "Writing the metrics of each series"
    shell:
        "{params.program} metrics {input.table:q} {output:q} > {log:q} 2>&1"
