"""Write the report of a study: one HTML page with verdicts, the walk-through, and all figures and tables."""

import base64
import csv
import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from anytime_pruning.figures.catalog import Figure
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.files import write_text

TEMPLATE = Path(__file__).with_name("page.html")
# The kind of figure at the top of the page, and the most figures of it there.
HERO, MOST_HEROES = "accuracy", 2
CLAIMS_CATEGORY = "8 The paper's claims"
CLAIMS_CAPTION = (
    "Each claim of the paper, with a verdict for the paper's protocol and for the released one. A verdict is only "
    "given on the data, network, T and settings of the claim. The text below the table explains the rule."
)
VERDICTS = ("reproduced", "refuted", "undecided", "by construction", "not tested here")
TESTED = VERDICTS[:3]


@dataclass(frozen=True)
class Item:
    """Holds one figure or table of the page.

    Attributes:
        name: file name without suffix.
        caption: the paragraph that explains it, as HTML.
        content: the picture or the table, as HTML.
    """

    name: str
    caption: Markup
    content: Markup


def write_report(study: str, plan: Mapping[str, Figure], figures: Path, walkthrough: Path, page: Path) -> None:
    """Write the report of a study.

    Args:
        study: name of the study.
        plan: the planned figures by file name without suffix.
        figures: folder of the drawn figures and tables, and of the table of claims.
        walkthrough: HTML page of the executed notebook.
        page: HTML file to write.

    Raises:
        DataError: the page of the notebook has no body.
        OSError: a figure or a table is missing.
    """
    items = {name: _item(name, figure.caption, figures, "png" in figure.kinds) for name, figure in plan.items()}
    categories: dict[str, list[Item]] = {}
    for name in sorted(plan, key=lambda name: plan[name].category):
        categories.setdefault(plan[name].category, []).append(items[name])
    categories[CLAIMS_CATEGORY] = [_item("claims", CLAIMS_CAPTION, figures, is_picture=False)]
    with (figures / "claims.csv").open(encoding="utf-8", newline="") as file:
        claims = list(csv.DictReader(file))
    template = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template(TEMPLATE.name)
    content = template.render(
        study=study,
        verdicts=count_verdicts(claims),
        tested=[claim for claim in claims if claim["verdict"] in TESTED],
        names_of_verdicts=VERDICTS,
        heroes=[items[name] for name, figure in plan.items() if figure.draw == HERO][:MOST_HEROES],
        walkthrough=_body_of(walkthrough),
        categories=categories,
    )
    write_text(page, content)


def count_verdicts(claims: Iterable[Mapping[str, str]]) -> dict[str, Counter[str]]:
    """Count the verdicts in the rows of claims.csv under each protocol."""
    counts: dict[str, Counter[str]] = {}
    for row in claims:
        counts.setdefault(row["protocol"], Counter())[row["verdict"]] += 1
    return counts


def _item(name: str, caption: str, figures: Path, is_picture: bool) -> Item:
    text = to_html(caption)
    if is_picture:
        data = base64.b64encode((figures / f"{name}.png").read_bytes()).decode()
        described = html.escape(re.sub(r"<[^>]+>", "", text), quote=True)
        return Item(name, text, Markup(f'<img alt="{described}" src="data:image/png;base64,{data}">'))
    return Item(name, text, Markup(_table_of((figures / f"{name}.html").read_text(encoding="utf-8"))))


def to_html(text: str) -> Markup:
    """Turn the few marks of reStructuredText that captions use into HTML: literals, strong and emphasised text."""
    text = html.escape(" ".join(text.split()), quote=False)
    for mark, tag in (("``", "code"), (r"\*\*", "strong"), (r"\*", "em"), ("`", "code")):
        text = re.sub(rf"(?<!\w){mark}(\S(?:.*?\S)?){mark}(?!\w)", rf"<{tag}>\1</{tag}>", text)
    return Markup(text)


def _table_of(page: str) -> str:
    """Return the table of a page and the note below it."""
    return _between(page, "<body>", "</body>", "a table's page")


def _body_of(page: Path) -> Markup:
    """Return the content of the notebook's page, headings one level lower and tables in frames that scroll."""
    body = _between(page.read_text(encoding="utf-8"), "<body>", "</body>", str(page))
    body = re.sub(r"(</?h)([1-5])\b", lambda found: f"{found[1]}{int(found[2]) + 1}", body)
    numbers = count(1)
    frame = '<div class="scroll" tabindex="0" role="region" aria-label="Table {} of the walk-through">{}</div>'
    tables = re.compile("<table.*?</table>", re.DOTALL)
    return Markup(tables.sub(lambda table: frame.format(next(numbers), table[0]), body))


def _between(text: str, start: str, end: str, name: str) -> str:
    if start not in text or end not in text:
        raise DataError(f"{name}: not a page with a body")
    return text.partition(start)[2].rpartition(end)[0].strip()
