# Write the plan that the jobs of this call read, and collect all runs of the study in four tidy tables, which are all that the
# figures read. Content decides whether tables, figures and claims are current: their input functions force what is out of date,
# and `ancient` keeps times from deciding. Outputs are `kept`: if a job fails, Snakemake puts the earlier files back.


# Nothing is written while this file is read, because many calls only look, and take no lock.
rule write_plan:
    input:
        lambda wildcards: PRODUCTS.inputs_of_plan(),
    output:
        kept(PLAN.files()),
    log:
        f"{PATHS.logs}/write_plan.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program_of_checkout,
        study=lambda wildcards: STUDY,
        out=lambda wildcards: JOB_FOLDER,
    message:
        "Writing the plan of the study"
    shell:
        "{params.program} plan {params.study:q} --out {params.out:q} > {log:q} 2>&1"


rule collect_runs:
    input:
        lambda wildcards: PRODUCTS.inputs_of_tables(),
    output:
        kept(PLAN.tables()),
    log:
        f"{PATHS.logs}/collect_runs.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        runs=lambda wildcards: PATHS.runs_list,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards: PATHS.tables,
        record=lambda wildcards: PATHS.record("tables"),
    message:
        "Collecting the runs into tables"
    shell:
        "{params.program} collect {params.runs:q} {params.runs_dir:q} {params.tables_dir:q} --record {params.record:q} "
        "> {log:q} 2>&1"


# Collect only the runs that are done. `make figures` allows this rule and none that trains. A figure looks for its runs in
# the tables: it is not drawn if some of them are missing, and names these.
rule collect_present_runs:
    input:
        lambda wildcards: PRODUCTS.inputs_of_present_tables(),
    output:
        kept(PLAN.files()),
        kept(PLAN.tables()),
    log:
        f"{PATHS.logs}/collect_present_runs.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        program_of_checkout=program_of_checkout,
        study=lambda wildcards: STUDY,
        out=lambda wildcards: JOB_FOLDER,
        runs=lambda wildcards: PATHS.runs_list,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards: PATHS.tables,
        record=lambda wildcards: PATHS.record("tables"),
    message:
        "Collecting the runs that are there into tables"
    shell:
        "{{ {params.program_of_checkout} plan {params.study:q} --out {params.out:q} --present-only && {params.program} collect "
        "{params.runs:q} {params.runs_dir:q} {params.tables_dir:q} --record {params.record:q} --present-only; }} > {log:q} 2>&1"


ruleorder: write_plan > collect_runs > collect_present_runs


# Write a few numbers for each series, for `dvc metrics`. The output is a folder, because the grid determines the series.
rule write_metrics:
    input:
        lambda wildcards: PRODUCTS.inputs_of_metrics(),
    output:
        kept(directory(PATHS.metrics)),
    log:
        f"{PATHS.logs}/write_metrics.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        table=lambda wildcards: PATHS.table("runs"),
        metrics=lambda wildcards: PATHS.metrics,
        record=lambda wildcards: PATHS.record("metrics"),
    message:
        "Writing the metrics of each series"
    shell:
        "{params.program} metrics {params.table:q} {params.metrics:q} --record {params.record:q} > {log:q} 2>&1"
