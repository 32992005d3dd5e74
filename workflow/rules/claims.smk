# Check the paper's claims against the results of this study. The note below the table counts missing runs; a claim that no run
# of this study measures is "not tested here".


rule check_claims:
    input:
        claims=find_file("config/claims.yaml"),
        tables=[PATHS.table(name) for name in ("runs", "megabatches", "layers")],
        runs=PATHS.runs_list,
        code=sources("figures"),
    output:
        f"{PATHS.claims}.md",
        report(
            f"{PATHS.claims}.html",
            category="8 The paper's claims",
            caption="../report/claims.rst",
            labels={"figure": "claims (table)"},
        ),
        f"{PATHS.claims}.tex",
        f"{PATHS.claims}.csv",
    log:
        f"{PATHS.logs}/check_claims.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards, input: Path(input.tables[0]).parent,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Checking the paper's claims"
    shell:
        "{params.program} claims {input.claims:q} {input.runs:q} {params.runs_dir:q} {params.tables_dir:q} {params.stem:q} "
        "> {log:q} 2>&1"
