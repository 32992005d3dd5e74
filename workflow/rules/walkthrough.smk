# Run the notebook that leads through the results of this study, and write it as one HTML page, which is not in git.


rule walkthrough:
    input:
        figures=PLAN.figure_files(),
        claims=f"{PATHS.claims}.md",
        tables=[PATHS.table(name) for name in ("runs", "layers")],
        plan=PATHS.figure_plan,
        notebook=find_file("workflow/notebooks/walkthrough.ipynb"),
        code=sources("figures"),
    output:
        report(
            PATHS.walkthrough,
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
        study=PATHS.study,
    message:
        "Running the walk-through"
    shell:
        "{params.program} walkthrough {input.notebook:q} {params.study:q} {output:q} > {log:q} 2>&1"
