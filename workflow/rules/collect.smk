# All runs of the study in four tidy tables, which is all that figures read.
rule collect_runs:
    input:
        runs=RUNS_LIST,
        metrics=METRICS,
        code="anytime_pruning/collect.py",
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
        code="anytime_pruning/collect.py",
    params:
        runs_dir=RUNS_DIR,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
        option="--present-only",


ruleorder: collect_runs > collect_present_runs
