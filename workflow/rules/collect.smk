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
    params:
        runs_dir=RUNS_DIR,
        tables_dir=lambda wildcards, output: Path(output[0]).parent,
    message:
        "Collecting the runs into tables"
    shell:
        "python -m anytime_pruning collect {input.runs:q} {params.runs_dir:q} {params.tables_dir:q} > {log:q} 2>&1"
