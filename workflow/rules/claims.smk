# Check the paper's claims against the results of this study. The note below the table counts missing runs; a claim that no run
# of this study measures is "not tested here".


rule check_claims:
    input:
        lambda wildcards: PRODUCTS.inputs_of_claims(CLAIMS),
    output:
        kept(f"{PATHS.claims}.md"),
        report(
            kept(f"{PATHS.claims}.html"),
            category="8 The paper's claims",
            caption="../report/claims.rst",
            labels={"figure": "claims (table)"},
        ),
        kept(f"{PATHS.claims}.tex"),
        kept(f"{PATHS.claims}.csv"),
    log:
        f"{PATHS.logs}/check_claims.log",
    localrule: True
    conda:
        "../../envs/figures.yaml"
    params:
        program=program,
        claims=lambda wildcards: CLAIMS,
        runs=lambda wildcards: PATHS.runs_list,
        runs_dir=lambda wildcards: PATHS.runs,
        tables_dir=lambda wildcards: PATHS.tables,
        stem=lambda wildcards: PATHS.claims,
        record=lambda wildcards: PATHS.record("claims"),
    message:
        "Checking the paper's claims"
    shell:
        "{params.program} claims {params.claims:q} {params.runs:q} {params.runs_dir:q} {params.tables_dir:q} {params.stem:q} "
        "--record {params.record:q} > {log:q} 2>&1"
