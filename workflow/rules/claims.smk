# The paper's claims against the results of this study. Of runs that are missing it says so; a claim that nothing measures is
# "not run".
CLAIMS = f"{FIGURES_DIR}/claims"


rule check_claims:
    input:
        claims="config/claims.yaml",
        tables=[f"{TABLES_DIR}/{name}.csv" for name in ("runs", "megabatches", "layers")],
        runs=RUNS_LIST,
        program="anytime_pruning/figures/claims/check.py",
        scripts=sorted(Path("workflow/scripts").glob("*.py")),
        code="anytime_pruning/figures/claims/definitions.py",
    output:
        f"{CLAIMS}.md",
        report(
            f"{CLAIMS}.html",
            category="8 The paper's claims",
            caption="../report/claims.rst",
            labels={"figure": "claims (table)"},
        ),
        f"{CLAIMS}.tex",
        f"{CLAIMS}.csv",
    log:
        f"{LOGS_DIR}/check_claims.log",
    conda:
        "../../envs/figures.yaml"
    params:
        runs_dir=RUNS_DIR,
        tables_dir=lambda wildcards, input: Path(input.tables[0]).parent,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Checking the paper's claims"
    shell:
        "python {input.program:q} {input.claims:q} {input.runs:q} {params.runs_dir:q} {params.tables_dir:q} {params.stem:q} "
        "> {log:q} 2>&1"
