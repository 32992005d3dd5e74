# One job for one run. Existence is validity: the folder's name carries a digest of everything that determines the numbers.


def data_of_missing_run(wildcards):
    """The dataset's cache, for a run that has to be trained; nothing for one that is there, or it would train again."""
    if Path(f"{RUNS_DIR}/{wildcards.run}/{layout.METRICS}").exists():
        return []
    settings = RUNS[wildcards.run]
    return ancient(str(cache_path(settings.dataset, settings.execution.data_dir)))


# The weights are no output: they are versioned apart, and a clone without them must not train again.
rule train:
    input:
        data_of_missing_run,
    output:
        f"{RUNS_DIR}/{{run}}/{layout.METRICS}",
    log:
        f"results/{STUDY.study}/logs/{{run}}.log",
    wildcard_constraints:
        run=".+",
    threads: next(iter(RUNS.values())).execution.threads
    resources:
        gpu=1,
    params:
        settings=lambda wildcards: RUNS[wildcards.run].model_dump_json(),
        digest=lambda wildcards: RUNS[wildcards.run].digest(),
        out=lambda wildcards: layout.run_dir(STUDY.study, wildcards.run),
        weights=lambda wildcards: layout.weights_path(STUDY.study, wildcards.run),
    message:
        "Training {wildcards.run}"
    shell:
        "python -m anytime_pruning train --settings {params.settings:q} --digest {params.digest} "
        "--out {params.out:q} --weights {params.weights:q} > {log:q} 2>&1"
