"""Complete the pages of the documentation site with what the code and the repository hold.

MkDocs calls the functions `on_...` by their names while it builds the site.
"""

import re
import sys
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# MkDocs loads this file by its path, so its neighbours and the package must be found first.
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import diagrams  # noqa: E402
import reference  # noqa: E402

# This link climbs out of its folder. If it leads out of docs/, the site has a copy of the file to which it leads.
LINK = re.compile(r"(?<=\]\()(?:\.\./)+[^)#\s]+")
# This comment in a page stands for a part that is written from the code.
GENERATED = re.compile(r"<!-- generated: (.+?) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the diagrams, and every file outside docs/ to which a page links."""
    for path, picture in diagrams.pictures().items():
        files.append(File.generated(config, path, content=picture))
    pages = files.documentation_pages()
    for target in sorted({path for page in pages for path in _links_out(page.src_uri, page.content_string)}):
        file = File.generated(config, target, abs_src_path=str(ROOT / target))
        file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the generated parts of a page, and let its links to files of the repository lead to their copies."""
    here = PurePosixPath(page.file.src_uri).parent

    def replace(link: re.Match[str]) -> str:
        target = path_in_repository(here, link.group())
        return link.group() if target is None else "../" * len(here.parts) + target

    return LINK.sub(replace, GENERATED.sub(lambda found: reference.part(found.group(1)), markdown))


def _links_out(page: str, text: str) -> list[str]:
    """Return the files outside docs/ to which a page links, by their paths in the repository."""
    here = PurePosixPath(page).parent
    targets = (path_in_repository(here, link) for link in LINK.findall(text))
    return [target for target in targets if target is not None]


def path_in_repository(here: PurePosixPath, link: str) -> str | None:
    """Return the path of a link's target in the repository, or None if the target is inside docs/ or no file.

    Args:
        here: folder of the page below docs/.
        link: the link as the page has it.
    """
    target = (ROOT / "docs" / here / link).resolve()
    if target.is_relative_to(ROOT / "docs") or not target.is_file():
        return None
    return target.relative_to(ROOT).as_posix()
