# Download or decode each dataset once. Runs that are there already need no data, so a clone with results fetches none.
DATASETS = {str(cache_path(settings.dataset, settings.execution.data_dir)): settings for settings in RUNS.values()}


rule prepare_data:
    output:
        f"{next(iter(RUNS.values())).execution.data_dir}/cache/{{cache}}.safetensors",
    log:
        f"results/{STUDY.study}/logs/prepare-{{cache}}.log",
    params:
        dataset=lambda wildcards, output: DATASETS[output[0]].dataset.model_dump_json(),
        data_dir=lambda wildcards, output: DATASETS[output[0]].execution.data_dir,
    message:
        "Preparing {wildcards.cache}"
    shell:
        "python -m anytime_pruning prepare {params.dataset:q} --data-dir {params.data_dir:q} > {log:q} 2>&1"
