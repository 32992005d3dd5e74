# Every figure as PDF and PNG with its data as CSV, every table as Markdown, LaTeX and CSV; each from one collected table.
# Which there are, and of which runs, is planned in anytime_pruning/figures/catalog.py.
FIGURES = [f"{FIGURES_DIR}/{name}.{kind}" for name, figure in PLANNED_FIGURES.items() for kind in figure.kinds]
PLOTS = [name for name, figure in PLANNED_FIGURES.items() if "pdf" in figure.kinds]
TABLES = [name for name, figure in PLANNED_FIGURES.items() if "tex" in figure.kinds]

# Where each stands in the report; what to see there is in workflow/report/.
CATEGORIES = {
    "framework": "1 The method",
    "short": "2 Results",
    "results": "2 Results",
    "differences": "2 Results",
    "few_shot": "2 Results",
    "dynamics": "3 Along the stream",
    "gap": "4 The gap over megabatches",
    "direction_changes": "4 The gap over megabatches",
    "layers": "5 Where weights are pruned",
    "ablation": "6 Ablations",
    "cost": "7 Cost",
}


rule plot_figure:
    input:
        table=lambda wildcards: table_of_figure(PLANNED_FIGURES[wildcards.figure], TABLES_DIR),
        plan=FIGURE_PLAN,
        program="anytime_pruning/figures/draw.py",
        scripts=sorted(Path("workflow/scripts").glob("*.py")),
    output:
        # The first names the others, and the second is what the report shows.
        f"{FIGURES_DIR}/{{figure}}.pdf",
        report(
            f"{FIGURES_DIR}/{{figure}}.png",
            category=lambda wildcards: CATEGORIES[PLANNED_FIGURES[wildcards.figure].draw],
            caption="../report/figure.rst",
            labels={"figure": "{figure}"},
        ),
        f"{FIGURES_DIR}/{{figure}}.csv",
    log:
        f"{LOGS_DIR}/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLOTS)),
    conda:
        "../../envs/figures.yaml"
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
        program="anytime_pruning/figures/draw.py",
        scripts=sorted(Path("workflow/scripts").glob("*.py")),
    output:
        f"{FIGURES_DIR}/{{figure}}.md",
        report(
            f"{FIGURES_DIR}/{{figure}}.html",
            category=lambda wildcards: CATEGORIES[PLANNED_FIGURES[wildcards.figure].draw],
            caption="../report/figure.rst",
            labels={"figure": "{figure} (table)"},
        ),
        f"{FIGURES_DIR}/{{figure}}.tex",
        f"{FIGURES_DIR}/{{figure}}.csv",
    log:
        f"{LOGS_DIR}/write_table-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, TABLES)),
    conda:
        "../../envs/figures.yaml"
    params:
        tables_dir=TABLES_DIR,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Writing the table {wildcards.figure}"
    shell:
        "python {input.program:q} {input.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} > {log:q} 2>&1"
