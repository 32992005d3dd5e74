# Every figure as PDF and PNG with its data as CSV, every table as Markdown, LaTeX and CSV; each from one collected table.
# Which there are, and of which runs, is planned in anytime_pruning/figure_plan.py.
FIGURES = [f"{FIGURES_DIR}/{name}.{kind}" for name, figure in PLANNED_FIGURES.items() for kind in figure.kinds]
PLOTS = [name for name, figure in PLANNED_FIGURES.items() if "pdf" in figure.kinds]
TABLES = [name for name, figure in PLANNED_FIGURES.items() if "tex" in figure.kinds]


rule plot_figure:
    input:
        table=lambda wildcards: table_of_figure(PLANNED_FIGURES[wildcards.figure], TABLES_DIR),
        plan=FIGURE_PLAN,
        program="workflow/scripts/draw_figure.py",
        scripts=sorted(Path("workflow/scripts").glob("*.py")),
    output:
        multiext(f"{FIGURES_DIR}/{{figure}}", ".pdf", ".png", ".csv"),
    log:
        f"{LOGS_DIR}/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLOTS)),
    params:
        tables_dir=TABLES_DIR,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Drawing {wildcards.figure}"
    shell:
        "python {input.program:q} {input.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} > {log:q} 2>&1"


rule write_table:
    input:
        table=lambda wildcards: table_of_figure(PLANNED_FIGURES[wildcards.figure], TABLES_DIR),
        plan=FIGURE_PLAN,
        program="workflow/scripts/draw_figure.py",
        scripts=sorted(Path("workflow/scripts").glob("*.py")),
    output:
        multiext(f"{FIGURES_DIR}/{{figure}}", ".md", ".tex", ".csv"),
    log:
        f"{LOGS_DIR}/write_table-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, TABLES)),
    params:
        tables_dir=TABLES_DIR,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Writing the table {wildcards.figure}"
    shell:
        "python {input.program:q} {input.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} > {log:q} 2>&1"
