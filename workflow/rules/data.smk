# Download or decode each dataset once. Runs that are there already need no data, so a clone with results fetches none.
DATASETS = {str(cache_path(run.dataset, run.execution.data_dir)): run for run in RUNS.values()}


rule prepare_data:
    output:
        str(PLANNED[0].settings.execution.data_dir / "cache" / "{cache}.safetensors"),
    log:
        f"{LOGS_DIR}/prepare-{{cache}}.log",
    conda:
        "../../envs/train.yaml"
    params:
        dataset=lambda wildcards, output: DATASETS[output[0]].dataset.model_dump_json(),
        data_dir=lambda wildcards, output: DATASETS[output[0]].execution.data_dir,
    message:
        "Preparing {wildcards.cache}"
    shell:
        "python -m anytime_pruning prepare {params.dataset:q} --data-dir {params.data_dir:q} > {log:q} 2>&1"
