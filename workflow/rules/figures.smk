# Every figure as PDF and PNG with its data as CSV, and the results table; each from one collected table.
PLANNED_FIGURES = plan_figures(RUNS.values())
FIGURES = [f"{FIGURES_DIR}/{name}.{kind}" for name in PLANNED_FIGURES for kind in ("pdf", "png", "csv")]
FIGURES += [f"{FIGURES_DIR}/results.{kind}" for kind in ("md", "tex", "csv")]


rule plot_figure:
    input:
        table=lambda wildcards: f"{TABLES_DIR}/{PLANNED_FIGURES[wildcards.figure].table}.csv",
        script=lambda wildcards: f"workflow/scripts/{PLANNED_FIGURES[wildcards.figure].script}.py",
        style="workflow/scripts/figure_style.py",
    output:
        multiext(f"{FIGURES_DIR}/{{figure}}", ".pdf", ".png", ".csv"),
    log:
        f"{LOGS_DIR}/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(PLANNED_FIGURES),
    params:
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
        options=lambda wildcards: PLANNED_FIGURES[wildcards.figure].options,
    message:
        "Drawing {wildcards.figure}"
    shell:
        "python {input.script} {input.table:q} {params.stem:q} {params.options} > {log:q} 2>&1"


rule tabulate_results:
    input:
        table=f"{TABLES_DIR}/runs.csv",
        script="workflow/scripts/tabulate_results.py",
        style="workflow/scripts/figure_style.py",
    output:
        multiext(f"{FIGURES_DIR}/results", ".md", ".tex", ".csv"),
    log:
        f"{LOGS_DIR}/tabulate_results.log",
    params:
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Writing the results table"
    shell:
        "python {input.script} {input.table:q} {params.stem:q} > {log:q} 2>&1"
