"""Find and describe the files that a user has added to the package, without importing them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from anytime_pruning.foundation.registry import Kind
from anytime_pruning.foundation.source_code import imported_modules, is_installed, normalized_or_digest, spells_out
from anytime_pruning.settings.shipped import SHIPPED, TOP_LEVEL

PACKAGE = __name__.partition(".")[0]
_SHIPPED_MODULES = frozenset(
    f"{PACKAGE}.{part.room}.{name}" for part in SHIPPED.values() for name in (*part.modules, *part.others)
)
# Modules of the package outside of these folders are this project's, unless they lie directly in the package.
_ROOMS = tuple(f"{PACKAGE}.{part.room}." for part in SHIPPED.values())


def describe_files(kind: Kind, name: str) -> dict[str, str]:
    """Return the code of a part that a user's files of the package register.

    These are the files that spell out the kind and the name, as in `register("model", "my_net")`, and whatever of the
    user they import, directly or through others. If no file spells the name out, as in a loop, any of the user's files
    may register it, so all of them are described.

    Returns:
        Normalised source by the name of its module, which is relative to the folder of the kind for a file that
        registers the part; nothing if the user has no file in the package.
    """
    files = dict(_own_files())
    registering = {module: text for module, text in files.items() if spells_out(text, kind, name)} or files
    room = f"{PACKAGE}.{SHIPPED[kind].room}."
    code = {module.removeprefix(room): normalized_or_digest(text) for module, text in registering.items()}
    return code | {module: normalized_or_digest(text) for module, text in _helpers(registering)}


def _helpers(registering: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the user's modules that modules import, directly or through others, and that are not among them."""
    seen, queue = set(registering), list(registering.items())
    for importer, text in queue:
        for module in imported_modules(text, importer):
            if module not in seen and (content := _own_module(module)) is not None:
                seen.add(module)
                queue.append((module, content))
                yield module, content


def _own_files() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the text of each of the user's files in the package."""
    package = _package_folder()
    folders = [package.joinpath(*part.room.split(".")) for part in SHIPPED.values()]
    folders += [path for path in package.glob("*") if path.is_dir() and path.name not in TOP_LEVEL]
    for path in sorted([*package.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]):
        module = ".".join([PACKAGE, *path.relative_to(package).with_suffix("").parts])
        if _is_own(module) and (text := _read(path)) is not None:
            yield module, text


def _own_module(module: str) -> bytes | None:
    """Return the text of a module of the user, in the package or beside it, or None for any other module."""
    root = _package_folder()
    place = root.parent.joinpath(*module.split("."))
    if module.partition(".")[0] == PACKAGE:
        place = root.joinpath(*module.split(".")[1:])
    elif is_installed(root):
        return None
    for name, path in ((module, place.with_name(f"{place.name}.py")), (f"{module}.__init__", place / "__init__.py")):
        if _is_own(name) and (text := _read(path)) is not None:
            return text
    return None


def _is_own(module: str) -> bool:
    package, _, rest = module.partition(".")
    if package != PACKAGE:
        return True
    is_of_a_kind = module.startswith(_ROOMS) and module.removesuffix(".__init__") + "." not in _ROOMS
    return (is_of_a_kind and module not in _SHIPPED_MODULES) or rest.partition(".")[0] not in TOP_LEVEL


def _package_folder() -> Path:
    return Path(__file__).parents[1]


def _read(path: Path) -> bytes | None:
    """Return the text of a file, or None if there is none, as for the dangling links with which editors lock files."""
    try:
        return path.read_bytes()
    except OSError:
        return None
