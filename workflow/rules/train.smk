# One job trains one run. A result that exists is valid, because the name of its folder carries a digest of everything that
# determines its numbers. The weights are no output: they are versioned apart, and a clone without them must not train again. An
# object store gets every file of a run, and metrics.json last, so that there, too, a run that exists is whole.
TRAINED = [*PATHS.run_files("{run}")[:-1], PATHS.run_weights("{run}")] if STORE else []


rule train:
    input:
        lambda wildcards: PRODUCTS.inputs_of_run(wildcards.run),
    output:
        TRAINED,
        # The file is kept until the job starts. A job that outlived a killed workflow may have written it since.
        kept(PATHS.run_metrics("{run}")),
    log:
        f"{PATHS.logs}/{{run}}.log",
    wildcard_constraints:
        run="|".join(map(re.escape, PLAN.runs)),
    conda:
        "../../envs/train.yaml"
    threads: PLAN.threads
    resources:
        gpu=1,
    params:
        program=program,
        settings=lambda wildcards: PLAN.runs[wildcards.run].model_dump_json(),
        digest=lambda wildcards: PLAN.runs[wildcards.run].digest(),
        out=lambda wildcards: PATHS.run(wildcards.run),
        weights=lambda wildcards: PATHS.run_weights(wildcards.run),
    message:
        "Training {wildcards.run}"
    shell:
        "{params.program} train --settings {params.settings:q} --digest {params.digest} "
        "--out {params.out:q} --weights {params.weights:q} > {log:q} 2>&1"
