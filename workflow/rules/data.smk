# Download or decode each dataset once. Runs that are done need no data, so a clone with results fetches none.
DATASETS = runs_by_cache_file(PLAN.runs.values())


rule prepare_data:
    output:
        # `update` keeps the file that a call in another checkout with this data folder may have made since.
        update(f"{Path(next(iter(DATASETS))).parent}/{{cache}}.safetensors"),
    log:
        f"{PATHS.logs}/prepare-{{cache}}.log",
    # On a cluster, data is downloaded where there is a network.
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        program=program,
        dataset=lambda wildcards, output: DATASETS[output[0]].dataset.model_dump_json(),
        data_dir=lambda wildcards, output: DATASETS[output[0]].execution.data_dir,
    message:
        "Preparing {wildcards.cache}"
    shell:
        "{params.program} prepare {params.dataset:q} --data-dir {params.data_dir:q} > {log:q} 2>&1"
