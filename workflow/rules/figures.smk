# Draw every figure as PDF and PNG with its data as CSV, and write every table as Markdown, HTML, LaTeX and CSV. Each of them
# is made from one or several collected tables. The plan says which figures a study has, of which runs, and what the report says
# of each.


rule plot_figure:
    input:
        lambda wildcards: PRODUCTS.inputs_of_figure(wildcards.figure),
    output:
        # The report shows the second.
        kept(f"{PATHS.figures}/{{figure}}.pdf"),
        report(
            kept(f"{PATHS.figures}/{{figure}}.png"),
            category=lambda wildcards: PLAN.figures[wildcards.figure].category,
            caption="../report/figure.rst",
            labels={"figure": "{figure}"},
        ),
        kept(f"{PATHS.figures}/{{figure}}.csv"),
    log:
        f"{PATHS.logs}/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLAN.figures_with("pdf"))),
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        plan=lambda wildcards: PATHS.figure_plan,
        tables_dir=lambda wildcards: PATHS.tables,
        stem=lambda wildcards: f"{PATHS.figures}/{wildcards.figure}",
        caption=lambda wildcards: PLAN.figures[wildcards.figure].caption,
        record=lambda wildcards: PATHS.record(f"figures/{wildcards.figure}"),
    message:
        "Drawing {wildcards.figure}"
    shell:
        "{params.program} draw {params.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} "
        "--record {params.record:q} > {log:q} 2>&1"


rule write_table:
    input:
        lambda wildcards: PRODUCTS.inputs_of_figure(wildcards.figure),
    output:
        kept(f"{PATHS.figures}/{{figure}}.md"),
        report(
            kept(f"{PATHS.figures}/{{figure}}.html"),
            category=lambda wildcards: PLAN.figures[wildcards.figure].category,
            caption="../report/figure.rst",
            labels={"figure": "{figure} (table)"},
        ),
        kept(f"{PATHS.figures}/{{figure}}.tex"),
        kept(f"{PATHS.figures}/{{figure}}.csv"),
    log:
        f"{PATHS.logs}/write_table-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(map(re.escape, PLAN.figures_with("tex"))),
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        plan=lambda wildcards: PATHS.figure_plan,
        tables_dir=lambda wildcards: PATHS.tables,
        stem=lambda wildcards: f"{PATHS.figures}/{wildcards.figure}",
        caption=lambda wildcards: PLAN.figures[wildcards.figure].caption,
        record=lambda wildcards: PATHS.record(f"figures/{wildcards.figure}"),
    message:
        "Writing the table {wildcards.figure}"
    shell:
        "{params.program} draw {params.plan:q} {wildcards.figure:q} {params.tables_dir:q} {params.stem:q} "
        "--record {params.record:q} > {log:q} 2>&1"
