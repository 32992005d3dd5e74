"""The results table: mean and standard deviation over seeds, and the parameters kept, as CSV, Markdown and LaTeX."""

import pandas as pd
from figure_style import (
    DATASET_LABELS,
    METHOD_LABELS,
    MODEL_LABELS,
    PRUNER_LABELS,
    SERIES,
    figure_options,
    ordered_series,
    read_table,
    with_kind,
)

# Column, heading, decimals.
MEASURES = (
    ("test_acc_pct", "Test accuracy (%)", 2),
    ("cumulative_error_count", "CER (count)", 0),
    ("cumulative_error_rate_pct", "CER (%)", 1),
    ("generalization_gap_pct", "Gap (points)", 2),
    ("clean_gap_pct", "Clean gap (points)", 2),
)
KEYS = ["dataset", "model", "n_megabatches", *SERIES]


def summarize(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each dataset, model, T and series: seeds, mean and standard deviation of each measure, sizes."""
    unprunable = runs["parameter_count"] - runs["prunable_count"]
    runs = runs.assign(
        cumulative_error_rate_pct=100 * runs["cumulative_error_rate"], parameters_kept=runs["kept_count"] + unprunable
    )
    groups = runs.groupby(KEYS)
    summary = groups.agg(seeds=("seed", "nunique"))
    for column, _, _ in MEASURES:
        summary[f"{column}_mean"] = groups[column].mean()
        summary[f"{column}_std"] = groups[column].std()
    for column in ("density", "parameters_kept", "parameter_count"):
        summary[column] = groups[column].mean()
    places = {series: place for place, series in enumerate(ordered_series(runs))}
    summary = summary.reset_index()
    summary["place"] = [places[series] for series in summary[SERIES].itertuples(index=False, name=None)]
    return summary.sort_values(["dataset", "model", "n_megabatches", "place"]).drop(columns="place")


def render(summary: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: every cell a text."""
    shown = pd.DataFrame(
        {
            "Dataset": summary["dataset"].map(lambda name: DATASET_LABELS.get(name, name)),
            "Network": summary["model"].map(lambda name: MODEL_LABELS.get(name, name)),
            "T": summary["n_megabatches"].astype(str),
            "Method": summary["method"].map(lambda name: METHOD_LABELS.get(name, name)),
            "Pruner": summary["pruner"].map(lambda name: "–" if name == "none" else PRUNER_LABELS.get(name, name)),
        }
    )
    if (summary["variant"] != "").any():
        shown["Variant"] = summary["variant"]
    for column, heading, decimals in MEASURES:
        pairs = zip(summary[f"{column}_mean"], summary[f"{column}_std"])
        shown[heading] = [_mean_and_deviation(mean, std, decimals) for mean, std in pairs]
    shown["Parameters kept"] = [
        f"{kept:,.0f} ({100 * kept / total:.1f} %)"
        for kept, total in zip(summary["parameters_kept"], summary["parameter_count"])
    ]
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown


def _mean_and_deviation(mean: float, std: float, decimals: int) -> str:
    mean_text = f"{mean:,.{decimals}f}".replace("-", "−")
    return mean_text if pd.isna(std) else f"{mean_text} ± {std:,.{decimals}f}"


def to_latex(shown: pd.DataFrame) -> str:
    """A booktabs tabular; what LaTeX reads as commands is escaped."""
    replacements = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$"}
    replacements |= {"±": r"$\pm$", "–": "--", "−": "$-$", "{": r"\{", "}": r"\}", "^": r"\^{}", "~": r"\~{}"}

    def escape(text: str) -> str:
        return "".join(replacements.get(character, character) for character in text)

    lines = [rf"\begin{{tabular}}{{{'l' * len(shown.columns)}}}", r"\toprule"]
    lines += [" & ".join(map(escape, shown.columns)) + r" \\", r"\midrule"]
    lines += [" & ".join(map(escape, row)) + r" \\" for row in shown.itertuples(index=False)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_markdown(shown: pd.DataFrame) -> str:
    """A Markdown table."""
    rows = [shown.columns, ["---"] * len(shown.columns), *shown.itertuples(index=False)]
    return "".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |\n" for row in rows)


def main() -> None:
    """Read the table that the command line names and write what is drawn from it."""
    options = figure_options(__doc__)
    summary = summarize(read_table(options.table))
    shown = render(summary)
    options.stem.parent.mkdir(parents=True, exist_ok=True)
    summary.to_csv(with_kind(options.stem, "csv"), index=False, lineterminator="\n", float_format="%.6g")
    with_kind(options.stem, "md").write_text(to_markdown(shown))
    with_kind(options.stem, "tex").write_text(to_latex(shown))


if __name__ == "__main__":
    main()
