# Download or decode each dataset once. Runs that are done need no data, so a clone with results fetches none.
DATASETS = {Path(file).stem: (file, run) for file, run in runs_by_cache_file(PLAN.runs.values()).items()}
CACHE = Path(next(iter(DATASETS.values()))[0]).parent


rule prepare_data:
    output:
        # The file is kept, because a call in another checkout with this data folder may have made it since.
        kept(f"{CACHE}/{{cache}}.safetensors"),
    log:
        f"{PATHS.logs}/prepare-{{cache}}.log",
    wildcard_constraints:
        cache="|".join(map(re.escape, DATASETS)),
    # On a cluster, data is downloaded where there is a network.
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        program=program_of_checkout,
        dataset=lambda wildcards: DATASETS[wildcards.cache][1].dataset.model_dump_json(),
        data_dir=lambda wildcards: DATASETS[wildcards.cache][1].execution.data_dir,
        cache=lambda wildcards: DATASETS[wildcards.cache][0],
    message:
        "Preparing {wildcards.cache}"
    # The output is the cache itself, or its copy for an object store.
    shell:
        "{params.program} prepare {params.dataset:q} --data-dir {params.data_dir:q} > {log:q} 2>&1 && "
        "([ {params.cache:q} -ef {output:q} ] || cp {params.cache:q} {output:q})"
