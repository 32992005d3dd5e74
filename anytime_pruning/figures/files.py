"""What all figures and tables share besides the look: reading collected tables, the order of series, writing files."""

import html
from pathlib import Path
from typing import NamedTuple

import pandas as pd

FIGURE_KINDS, TABLE_KINDS = ("pdf", "png", "csv"), ("md", "html", "tex", "csv")
STREAM = ["dataset", "model", "n_megabatches"]
# What sets the lines of a panel apart, besides dataset, model and T.
SERIES = ["protocol", "method", "pruner", "variant"]
# The order in which they are shown.
PROTOCOLS, METHODS = ("paper", "released"), ("app", "app_cubic", "osp", "dense")
PRUNERS = ("snip", "magnitude", "random", "grasp", "synflow")


class Series(NamedTuple):
    """One line of a figure: runs that differ in nothing but their seed."""

    protocol: str
    method: str
    pruner: str
    variant: str = ""

    @property
    def place(self) -> tuple:
        """Where it stands: APP, OSP, dense, then others; the paper's before released; SNIP before other pruners."""

        def of(name: str, known: tuple[str, ...]) -> tuple[int, str]:
            return (known.index(name) if name in known else len(known), name)

        return (of(self.protocol, PROTOCOLS), of(self.method, METHODS), of(self.pruner, PRUNERS), self.variant)


def ordered_series(table: pd.DataFrame) -> list[Series]:
    """The series of a table in the order in which they are shown."""
    found = table[SERIES].drop_duplicates().itertuples(index=False, name=None)
    return sorted((Series(*one) for one in found), key=lambda one: one.place)


def of_series(table: pd.DataFrame, one: Series) -> pd.DataFrame:
    """The rows of one series."""
    return table[(table[SERIES] == list(one)).all(axis="columns")]


def sort_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by stream, then in the order of series; within a series as they were."""
    places = {one: place for place, one in enumerate(ordered_series(table))}
    order = [places[Series(*one)] for one in table[SERIES].itertuples(index=False, name=None)]
    return table.assign(place=order).sort_values([*STREAM, "place"], kind="stable").drop(columns="place")


class TableError(Exception):
    """A collected table cannot be used; the message names it and says why, in one line."""


def read_table(path: Path) -> pd.DataFrame:
    """One of the collected tables.

    Raises:
        TableError: it is missing, damaged, or lacks a column that names runs.
    """
    # The word `none` is a pruner's name here, not a missing value; names may look like numbers.
    names = dict.fromkeys(("dataset", "model", "protocol", "method", "pruner", "variant", "run"), str)
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=names)
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from None
    except ValueError:  # also what pandas raises for files that are no tables
        raise TableError(f"{path}: not readable") from None
    for column in (*STREAM, *SERIES, "seed", "run"):
        if column not in table:
            raise TableError(f"{path}: no column {column}")
    return table.assign(variant=table["variant"].fillna("").astype(str))


def with_kind(stem: Path, kind: str) -> Path:
    """The stem with an ending added; names of datasets may hold dots, so nothing is cut off."""
    return stem.with_name(f"{stem.name}.{kind}")


def write_csv(data: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.csv, numbers with six significant digits."""
    data.to_csv(with_kind(stem, "csv"), index=False, lineterminator="\n", float_format="%.6g")


def save_figure(figure, data: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.pdf, .png and .csv; the same data gives the same bytes (no dates inside)."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(with_kind(stem, "pdf"), metadata={"CreationDate": None, "ModDate": None})
    figure.savefig(with_kind(stem, "png"), metadata={"Software": None})
    write_csv(data, stem)


def save_table(shown: pd.DataFrame, note: str, data: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.md, .html and .tex, the table as people read it with a note, and .csv, its numbers.

    Args:
        shown: every cell a text.
        note: one line that says what the numbers are.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    with_kind(stem, "md").write_text(to_markdown(shown) + f"\n{note}\n")
    with_kind(stem, "html").write_text(to_html(shown, note))
    with_kind(stem, "tex").write_text(f"% {note}\n{to_latex(shown)}")
    write_csv(data, stem)


def to_html(shown: pd.DataFrame, note: str) -> str:
    """A page with the table and its note, for the report."""
    table = shown.to_html(index=False, border=0)
    style = "body{font:14px sans-serif}td,th{padding:.3em .7em;text-align:left;border-bottom:1px solid #ccc}"
    head = f"<head><meta charset='utf-8'><style>{style}</style></head>"
    return f"<!DOCTYPE html><html>{head}<body>{table}<p>{html.escape(note.replace('**', ''))}</p></body></html>\n"


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
