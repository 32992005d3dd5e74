"""Reads the README and the pages of the documentation as the tests of this folder need them."""

import re

from conftest import ROOT

README = ROOT / "README.md"
PAGES = [README, ROOT / "ARTIFACT.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def read(name):
    """Return the text of a page by its path in the repository."""
    return (ROOT / name).read_text()


def code_blocks(text, language):
    """Return the fenced blocks of a language, without those that are taken from another file."""
    found = re.findall(rf"^```{language}(?: [^\n]*)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if "--8<--" not in block]


def code_of(text):
    """Return the lines of all fenced blocks and the inline code of a page."""
    parts = re.split(r"^```.*$", text, flags=re.MULTILINE)
    fenced = [line.strip() for block in parts[1::2] for line in block.splitlines()]
    return fenced + re.findall(r"`([^`]+)`", "\n".join(parts[::2]))
