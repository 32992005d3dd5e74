# Draw every figure as PDF and PNG with its data as CSV, and write every table as Markdown, HTML, LaTeX and CSV. Each of them
# is made from one or several collected tables. The plan says which figures a study has, of which runs, and what the report says
# of each.


rule plot_figure:
    input:
        tables=lambda wildcards: tables_of_figure(PLAN.figures[wildcards.figure], PATHS),
        plan=PATHS.figure_plan,
        code=sources("figures"),
    output:
        # The stem of all files is taken from the first; the report shows the second.
        f"{PATHS.figures}/{{figure}}.pdf",
        report(
            f"{PATHS.figures}/{{figure}}.png",
            category=lambda wildcards: PLAN.figures[wildcards.figure].category,
            caption="../report/figure.rst",
            labels={"figure": "{figure}"},
        ),
        f"{PATHS.figures}/{{figure}}.csv",
    log:
        f"{PATHS.logs}/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLAN.figures_with("pdf"))),
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        tables_dir=PATHS.tables,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
        caption=lambda wildcards: PLAN.figures[wildcards.figure].caption,
    message:
        "Drawing {wildcards.figure}"
    shell:
        "{params.program} draw {input.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} > {log:q} 2>&1"


rule write_table:
    input:
        tables=lambda wildcards: tables_of_figure(PLAN.figures[wildcards.figure], PATHS),
        plan=PATHS.figure_plan,
        code=sources("figures"),
    output:
        f"{PATHS.figures}/{{figure}}.md",
        report(
            f"{PATHS.figures}/{{figure}}.html",
            category=lambda wildcards: PLAN.figures[wildcards.figure].category,
            caption="../report/figure.rst",
            labels={"figure": "{figure} (table)"},
        ),
        f"{PATHS.figures}/{{figure}}.tex",
        f"{PATHS.figures}/{{figure}}.csv",
    log:
        f"{PATHS.logs}/write_table-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLAN.figures_with("tex"))),
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        tables_dir=PATHS.tables,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
        caption=lambda wildcards: PLAN.figures[wildcards.figure].caption,
    message:
        "Writing the table {wildcards.figure}"
    shell:
        "{params.program} draw {input.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} > {log:q} 2>&1"
