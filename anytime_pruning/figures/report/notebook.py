"""Run a notebook on one study, and write its outputs without its code as one HTML page."""

import html
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

import anytime_pruning
from anytime_pruning.foundation.errors import ArtifactError
from anytime_pruning.foundation.files import write_text

# Jupyter keeps its files in the folders that these variables name, by default in the home folder.
JUPYTER_FOLDERS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
# The exporter's usual page would fetch MathJax and fonts from the network, so the page is made here.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Walk-through of {study}</title><style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #222; }}
table {{ border-collapse: collapse; font-size: 0.75rem; display: block; overflow-x: auto; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; }}
img {{ max-width: 100%; height: auto; }} h2 {{ margin-top: 2.5rem; }} .anchor-link {{ display: none; }}
</style></head><body>
{body}
</body></html>
"""


class NotebookError(ArtifactError):
    """Signals that a cell of a notebook failed; the message names the notebook and the error."""


def write_page(notebook: Path, study: str, page: Path) -> None:
    """Run a notebook in the working folder and write its page.

    Args:
        notebook: .ipynb file. Its kernel can import this package, and the environment variable STUDY holds the name of
            the study.
        study: name of a study with results below the working folder.
        page: HTML file to write.

    Raises:
        NotebookError: a cell failed; nothing is written.
    """
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no annotations
    client = NotebookClient(
        content, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(Path.cwd())}}
    )
    try:
        with _own_jupyter():
            client.execute(env=_kernel_environment(study))
    except CellExecutionError as error:
        raise NotebookError(f"{notebook}: a cell failed: {error.ename}: {error.evalue}") from None
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert has no annotations
        template_name="basic", exclude_input=True, exclude_output_prompt=True, embed_images=True
    )
    body, _ = exporter.from_notebook_node(content)
    write_text(page, PAGE.format(study=html.escape(study), body=body))


@contextmanager
def _own_jupyter() -> Iterator[None]:
    """Keep Jupyter's files in a temporary folder while the block runs.

    Jupyter would otherwise need a home folder that can be written, and run the kernels, settings and start-up files
    that it finds there.
    """
    before = {name: os.environ.get(name) for name in (*JUPYTER_FOLDERS, "JUPYTER_PATH")}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            os.environ |= {name: f"{folder}/{name.lower()}" for name in JUPYTER_FOLDERS}
            os.environ.pop("JUPYTER_PATH", None)
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _kernel_environment(study: str) -> dict[str, str]:
    """Return the environment of the kernel, with which it imports the package from the same folder as this process."""
    package_parent = str(Path(anytime_pruning.__file__).parents[1])
    # This process looks into its own environment before PYTHONPATH, and so does the kernel.
    search_path = os.pathsep.join(filter(None, dict.fromkeys([package_parent, *sys.path])))
    # The launcher of the kernel deletes the first entry of its search path if this entry is the working folder. Python
    # adds such an entry unless PYTHONSAFEPATH is set. With PYTHONSAFEPATH, the launcher would delete the folder of the
    # package instead.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    return environment | {"PYTHONPATH": search_path, "STUDY": study}
