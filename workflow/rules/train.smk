# One job for one run. Existence is validity: the folder's name carries a digest of everything that determines the numbers.
# The weights are no output: they are versioned apart, and a clone without them must not train again.


rule train:
    input:
        lambda wildcards: ancient(data_of_run(STUDY.study, wildcards.run, RUNS[wildcards.run])),
    output:
        # Updated: not removed before the job. One that outlived a killed workflow may have finished this run since.
        update(f"{RUNS_DIR}/{{run}}/{layout.METRICS}"),
    log:
        f"{LOGS_DIR}/{{run}}.log",
    wildcard_constraints:
        run=".+",
    conda:
        "../../envs/train.yaml"
    threads: PLANNED[0].settings.execution.threads
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
