# Run the notebook that leads through the results of this study, and write the report, in which it stands beside all figures and
# tables. Both are HTML pages, which are not in git.


rule walkthrough:
    input:
        lambda wildcards: PRODUCTS.inputs_of_walkthrough(NOTEBOOK, CLAIMS),
    output:
        report(
            kept(PATHS.walkthrough),
            category="0 Walk-through",
            caption="../report/walkthrough.rst",
            labels={"figure": "walk-through (page)"},
        ),
    log:
        f"{PATHS.logs}/walkthrough.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    # Jupyter is not in the image.
    container:
        None
    params:
        program=program,
        notebook=lambda wildcards: NOTEBOOK,
        study=PATHS.study,
        page=lambda wildcards: PATHS.walkthrough,
        record=lambda wildcards: PATHS.record("walkthrough"),
    message:
        "Running the walk-through"
    shell:
        "{params.program} walkthrough {params.notebook:q} {params.study:q} {params.page:q} --record {params.record:q} "
        "> {log:q} 2>&1"


rule write_report:
    input:
        lambda wildcards: PRODUCTS.inputs_of_report(NOTEBOOK, CLAIMS),
    output:
        kept(PATHS.report),
    log:
        f"{PATHS.logs}/write_report.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    container:
        None
    params:
        program=program,
        study=PATHS.study,
        page=lambda wildcards: PATHS.report,
        record=lambda wildcards: PATHS.record("report"),
    message:
        "Writing {params.page}"
    shell:
        "{params.program} report {params.study:q} {params.page:q} --record {params.record:q} > {log:q} 2>&1"
