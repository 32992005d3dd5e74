"""Run a notebook on one study and write what it shows as one HTML file, without its code cells' input."""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter


def run(notebook: Path, study: str, folder: Path) -> str:
    """The executed notebook as HTML, with every picture inside.

    Args:
        study: in the environment of the notebook as STUDY.
        folder: where it runs: the project's folder.

    Raises:
        CellExecutionError: a cell failed.
    """
    content = nbformat.read(notebook, as_version=4)
    content.cells.insert(0, nbformat.v4.new_code_cell(f"import os\nos.environ['STUDY'] = {study!r}"))
    NotebookClient(content, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True, embed_images=True)
    body, _ = exporter.from_notebook_node(content)
    return PAGE.format(title=f"Walk-through of {study}", body=body)


# A page of its own: the exporter's usual one fetches MathJax and fonts from elsewhere.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #222; }}
table {{ border-collapse: collapse; font-size: 0.75rem; display: block; overflow-x: auto; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; }}
img {{ max-width: 100%; height: auto; }} h2 {{ margin-top: 2.5rem; }} .anchor-link {{ display: none; }}
</style></head><body>
{body}
</body></html>
"""


def main() -> int:
    """Run what the command line names; a failing cell is said in one line, without its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("study", help="name of the study")
    parser.add_argument("page", type=Path, help="HTML file to write")
    options = parser.parse_args()
    try:
        page = run(options.notebook, options.study, Path.cwd())
    except CellExecutionError as error:
        print(f"error: {options.notebook}: a cell failed: {error.ename}: {error.evalue}", file=sys.stderr)
        return 1
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
