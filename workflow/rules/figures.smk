# Every figure as PDF and PNG with its data as CSV, and the results table. Each script reads one collected table; what a
# figure shows of it stands in its file's name and in the options of its script.


def plan_figures():
    """For each figure of the study, by file name without suffix: script, table, and the script's options."""
    streams = {(run.dataset.name, run.model, run.n_megabatches, run.method == "app") for run in RUNS.values()}
    figures = {"short": ("plot_short", "runs", "")}
    for dataset, model, n_megabatches, is_app in sorted(streams):
        network = f"--dataset {dataset} --model {model}"
        stream = f"{network} --n-megabatches {n_megabatches}"
        name = f"{dataset}-{model}-T{n_megabatches}"
        figures[f"gap-{dataset}-{model}"] = ("plot_gap", "megabatches", network)
        figures[f"dynamics-{name}"] = ("plot_dynamics", "epochs", stream)
        if is_app:
            figures[f"layers-{name}"] = ("plot_layers", "layers", stream)
    return figures


PLANNED_FIGURES = plan_figures()
FIGURES = [f"{FIGURES_DIR}/{name}.{kind}" for name in PLANNED_FIGURES for kind in ("pdf", "png", "csv")]
FIGURES += [f"{FIGURES_DIR}/results.{kind}" for kind in ("md", "tex", "csv")]


rule plot_figure:
    input:
        table=lambda wildcards: f"{TABLES_DIR}/{PLANNED_FIGURES[wildcards.figure][1]}.csv",
        script=lambda wildcards: f"workflow/scripts/{PLANNED_FIGURES[wildcards.figure][0]}.py",
        style="workflow/scripts/figure_style.py",
    output:
        multiext(f"{FIGURES_DIR}/{{figure}}", ".pdf", ".png", ".csv"),
    log:
        f"results/{STUDY.study}/logs/plot_figure-{{figure}}.log",
    wildcard_constraints:
        figure="|".join(PLANNED_FIGURES),
    params:
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
        options=lambda wildcards: PLANNED_FIGURES[wildcards.figure][2],
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
        f"results/{STUDY.study}/logs/tabulate_results.log",
    params:
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Writing the results table"
    shell:
        "python {input.script} {input.table:q} {params.stem:q} > {log:q} 2>&1"
