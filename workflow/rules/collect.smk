# All runs of the study in four tidy tables, which is all that figures read.
rule collect_runs:
    input:
        runs=RUNS_LIST,
        metrics=METRICS,
        code="anytime_pruning/results/collect.py",
    output:
        [f"{TABLES_DIR}/{name}.csv" for name in ("runs", "megabatches", "epochs", "layers")],
    log:
        f"{LOGS_DIR}/collect_runs.log",
    conda:
        "../../envs/figures.yaml"
    params:
        runs_dir=RUNS_DIR,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
        option="",
    message:
        "Collecting the runs into tables"
    shell:
        "python -m anytime_pruning collect {input.runs:q} {params.runs_dir:q} {params.tables_dir:q} {params.option} "
        "> {log:q} 2>&1"


# The same of the runs that are there, for `make figures`, which allows this rule and trains nothing. A figure looks for
# its runs in the tables, so one whose runs are missing is not drawn and says which.
use rule collect_runs as collect_present_runs with:
    input:
        runs=RUNS_LIST,
        metrics=[path for path in METRICS if Path(path).exists()],
        code="anytime_pruning/results/collect.py",
    params:
        runs_dir=RUNS_DIR,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
        option="--present-only",


ruleorder: collect_runs > collect_present_runs


# The same in a few numbers for each series, for `dvc metrics`. A folder, because the grid says which series there are.
rule write_metrics:
    input:
        table=f"{TABLES_DIR}/runs.csv",
        program="anytime_pruning/figures/series_metrics.py",
        scripts=[f"workflow/scripts/{name}.py" for name in ("figure_data", "seed_statistics")],
    output:
        directory(f"results/{STUDY.study}/metrics"),
    log:
        f"{LOGS_DIR}/write_metrics.log",
    conda:
        "../../envs/figures.yaml"
    message:
        "Writing the metrics of each series"
    shell:
        "python {input.program:q} {input.table:q} {output:q} > {log:q} 2>&1"
