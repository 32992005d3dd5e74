"""Read collected tables, and write figures and tables in all their formats."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from anytime_pruning.figures.series import SERIES, STREAM
from anytime_pruning.foundation.errors import ArtifactError, DataError, describe_system_error
from anytime_pruning.foundation.files import write_atomically, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Columns of the collected tables that are read as text, because names may look like numbers. All others hold numbers.
TEXTS = (
    *("dataset", "model", "protocol", "method", "pruner", "variant", "images", "run"),
    *("layer", "data_sha256", "precision", "device", "commit"),
)
PAGE_STYLE = "body{font:14px sans-serif}td,th{padding:.3em .7em;text-align:left;border-bottom:1px solid #ccc}"
# Without further packages, LaTeX needs commands for these characters, and for raised digits.
LATEX_COMMANDS = {"±": r"$\pm$", "–": "--", "−": "$-$", "·": r"$\cdot$"}
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
# Dates and versions would change the bytes of an equal picture.
UNDATED = {"pdf": {"CreationDate": None, "ModDate": None}, "png": {"Software": None}}


@contextmanager
def named_in_errors(name: str, tables_dir: Path) -> Iterator[None]:
    """Turn every mistake in files or tables into one line that begins with the name of a figure.

    Args:
        name: name of the figure or table.
        tables_dir: the collected table, or the folder of the tables, for the message about a missing column.

    Raises:
        ArtifactError: the error of the block, with the name before its message.
        DataError: a file cannot be read or written, or a column is missing.
    """
    try:
        yield
    except ArtifactError as error:
        error.args = (f"{name}: {error}",)
        raise
    except OSError as error:
        raise DataError(f"{name}: {describe_system_error(error)}") from None
    except KeyError as error:
        raise DataError(f"{name}: no column {error} in {tables_dir}") from None


def read_table(path: Path) -> pd.DataFrame:
    """Read one of the collected tables, in which datasets are named with their share of images, if it is not the whole.

    Raises:
        DataError: the table is missing, damaged, lacks a column that names runs, or has a text in a column of numbers.
    """
    try:
        # The word `none` is a pruner and not a missing value.
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(TEXTS, str))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except ValueError:  # pandas raises ValueError or a subclass for files that are not tables
        raise DataError(f"{path}: not readable") from None
    for column in (*STREAM, *SERIES, "images", "seed", "run"):
        if column not in table:
            raise DataError(f"{path}: no column {column}")
    for column in map(str, table.columns.difference(list(TEXTS), sort=False)):
        numbers = pd.to_numeric(table[column], errors="coerce")
        texts = table.loc[numbers.isna(), column].dropna()
        if len(texts):
            raise DataError(f"{path}: {texts.iloc[0]!r} is not allowed in column {column}; allowed: numbers")
        table[column] = numbers
    images = table.pop("images").fillna("")
    dataset = table["dataset"].where(images == "", table["dataset"] + " (" + images + " images)")
    return table.assign(dataset=dataset, variant=table["variant"].fillna("").astype(str))


def with_ending(stem: Path, ending: str) -> Path:
    """Add an ending to a path without removing any part, because names of datasets may contain dots."""
    return stem.with_name(f"{stem.name}.{ending}")


def save_picture(figure: Figure, path: Path) -> None:
    """Write a PDF or PNG file without dates, so that the same figure gives the same bytes."""
    kind = path.suffix[1:]
    write_atomically(path, lambda partial: figure.savefig(partial, format=kind, metadata=UNDATED[kind]))


def save_figure(figure: Figure, numbers: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.pdf, <stem>.png and <stem>.csv."""
    save_picture(figure, with_ending(stem, "pdf"))
    # The PNG has the layout of the PDF, whose texts are a little wider. Finding one for each takes a sixth of the time.
    figure.set_layout_engine("none")
    save_picture(figure, with_ending(stem, "png"))
    _write_csv(numbers, stem)


def save_table(cells: pd.DataFrame, note: str, numbers: pd.DataFrame, stem: Path) -> None:
    """Write the table as <stem>.md, .html and .tex, and its numbers as <stem>.csv.

    Args:
        cells: the table for readers, with a text in every cell.
        note: a paragraph that explains the numbers.
        numbers: the numbers from which the cells were made.
        stem: path of the files without ending.
    """
    write_text(with_ending(stem, "md"), f"{to_markdown(cells)}\n{note}\n")
    write_text(with_ending(stem, "html"), to_html(cells, note))
    write_text(with_ending(stem, "tex"), f"% {note}\n{to_latex(cells)}")
    _write_csv(numbers, stem)


def to_html(cells: pd.DataFrame, note: str) -> str:
    """Return an HTML page with a table and its note, for the report."""
    table = cells.to_html(index=False, border=0)
    head = f"<head><meta charset='utf-8'><style>{PAGE_STYLE}</style></head>"
    return f"<!DOCTYPE html><html>{head}<body>{table}<p>{html.escape(note.replace('**', ''))}</p></body></html>\n"


def to_latex(cells: pd.DataFrame) -> str:
    """Return a booktabs tabular; characters that LaTeX would read as commands are escaped."""
    text = cells.to_latex(index=False, escape=True, column_format="l" * len(cells.columns))
    for character, command in LATEX_COMMANDS.items():
        text = text.replace(character, command)
    lowered = str.maketrans(RAISED, "0123456789")
    return re.sub(f"[{RAISED}]+", lambda digits: f"$^{{{digits[0].translate(lowered)}}}$", text)


def to_markdown(cells: pd.DataFrame) -> str:
    """Return a table in GitHub's Markdown."""
    escaped = cells.map(lambda text: text.replace("|", r"\|"))
    # With `disable_numparse`, tabulate keeps the chosen number of decimals.
    return escaped.to_markdown(index=False, disable_numparse=True) + "\n"


def _write_csv(numbers: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.csv, with numbers of six significant digits."""
    write_text(with_ending(stem, "csv"), numbers.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
