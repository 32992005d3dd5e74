# Run the notebook that leads through the results of this study, and write it as one HTML page, which is not in git.


rule walkthrough:
    input:
        lambda wildcards: PRODUCTS.inputs_of_walkthrough(NOTEBOOK, CLAIMS),
    output:
        report(
            update(PATHS.walkthrough),
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
        record=lambda wildcards: PATHS.record("walkthrough"),
    message:
        "Running the walk-through"
    shell:
        "{params.program} walkthrough {params.notebook:q} {params.study:q} {output:q} --record {params.record:q} "
        "> {log:q} 2>&1"
