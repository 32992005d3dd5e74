# The walk-through: a notebook that leads through the results of this study, as one HTML page. Not in git.
WALKTHROUGH = f"results/{STUDY.study}/walkthrough.html"


rule walkthrough:
    input:
        figures=FIGURES,
        claims=f"{CLAIMS}.md",
        tables=[f"{TABLES_DIR}/{name}.csv" for name in ("runs", "layers")],
        plan=FIGURE_PLAN,
        notebook="workflow/notebooks/walkthrough.ipynb",
        program="anytime_pruning/figures/walkthrough.py",
    output:
        report(
            WALKTHROUGH,
            category="0 Walk-through",
            caption="../report/walkthrough.rst",
            labels={"figure": "walk-through (page)"},
        ),
    log:
        f"{LOGS_DIR}/walkthrough.log",
    conda:
        "../../envs/report.yaml"
    # Jupyter is not in the image.
    container:
        None
    params:
        study=STUDY.study,
    message:
        "Running the walk-through"
    shell:
        "python {input.program:q} {input.notebook:q} {params.study:q} {output:q} > {log:q} 2>&1"
