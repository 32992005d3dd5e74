# Download or decode each dataset once. Runs that are done need no data, so a clone with results fetches none.
DATASETS = runs_by_cache_file(PLAN.runs.values())
CACHE = Path(next(iter(DATASETS))).parent


def dataset_of(wildcards):
    """Return a run that reads a cached dataset."""
    return DATASETS[f"{CACHE}/{wildcards.cache}.safetensors"]


def store_cache(wildcards, output):
    """Return what the shell does with the cache that was written into the checkout: a store takes a copy."""
    return f" && cp {quote(f'{CACHE}/{wildcards.cache}.safetensors')} {quote(str(output[0]))}" if STORE else ""


rule prepare_data:
    output:
        # The file is kept, because a call in another checkout with this data folder may have made it since.
        kept(f"{CACHE}/{{cache}}.safetensors"),
    log:
        f"{PATHS.logs}/prepare-{{cache}}.log",
    # On a cluster, data is downloaded where there is a network.
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        program=program_of_checkout,
        dataset=lambda wildcards: dataset_of(wildcards).dataset.model_dump_json(),
        data_dir=lambda wildcards: dataset_of(wildcards).execution.data_dir,
        store=store_cache,
    message:
        "Preparing {wildcards.cache}"
    shell:
        "{params.program} prepare {params.dataset:q} --data-dir {params.data_dir:q} > {log:q} 2>&1{params.store}"
