"""Search programs for calls that execute, or could execute, what they read, above all pickles."""

import ast
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

from conftest import ROOT
from snakemake.parser import parse
from snakemake.sourcecache import LocalSourceFile

# Reading a file with these modules can run any code.
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
NAMES = {
    *("eval", "exec", "__import__", "builtins.eval", "builtins.exec", "os.system", "os.popen"),
    *("torch.load", "torch.jit.load", "torch.package", "torch.hub", "pandas.read_pickle", "numpy.core.multiarray"),
    *(f"yaml.{name}" for name in ("load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all")),
    *(f"yaml.{name}" for name in ("Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader")),
    *("torchvision.datasets", "tempfile.mktemp", "ssl._create_unverified_context", "importlib.import_module"),
}
# Arguments that can make a harmless function harmful, and the only value that each may have.
ARGUMENTS = {"allow_pickle": False, "shell": False, "verify": True, "weights_only": True, "trust_remote_code": False}
# Unpacking is harmless only with the filter `data`, because links and absolute paths lead out of the folder.
UNPACKING = {"extractall", "unpack_archive"}


def find_unsafe(code: str) -> set[str]:
    """Return the unsafe modules, names and arguments that a Python program uses, however it imports them."""
    tree = ast.parse(code)
    aliases, found = {"np": "numpy", "pd": "pandas"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
            found |= {alias.name.split(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {(node.module or "").split(".")[0]} & MODULES
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
    for node in ast.walk(tree):
        name = _dotted(node, aliases)
        found |= {part for part in NAMES if name == part or name.startswith(f"{part}.")}
        if isinstance(node, ast.Call):
            found |= _of_call(node, aliases)
    return found


def _of_call(node: ast.Call, aliases: dict[str, str]) -> set[str]:
    name = _dotted(node.func, aliases)
    given = {argument.arg: argument.value for argument in node.keywords}
    found = {
        key
        for key, harmless in ARGUMENTS.items()
        if key in given and not (isinstance(given[key], ast.Constant) and given[key].value is harmless)
    }
    if name.split(".")[-1] in UNPACKING:
        used = given.get("filter")
        found |= set() if isinstance(used, ast.Constant) and used.value == "data" else {name.split(".")[-1]}
    if name == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        reached = f"{_dotted(node.args[0], aliases)}.{node.args[1].value}"
        found |= {reached} & NAMES
    return found


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    """Return the dotted name of an expression, such as `torch.load`, with imported names in full.

    A call of `import_torchvision` counts as torchvision; every other expression has no name.
    """
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, aliases)}.{node.attr}"
    if isinstance(node, ast.Call) and _dotted(node.func, aliases).endswith("import_torchvision"):
        return "torchvision"
    return ""


def project_files(*patterns: str) -> list[Path]:
    """Return the files of the project that match a pattern, without environments, results and data."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        here = Path(folder)
        skipped = ("results", "data", "dist", "__pycache__") if here == ROOT else ("__pycache__",)
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in skipped]
        found += [here / name for name in names if any(Path(name).match(pattern) for pattern in patterns)]
    return sorted(found)


def python_of(path: Path) -> str:
    """Return the Python code of a program, of a notebook, or of a workflow file as Snakemake compiles it."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    opened = SimpleNamespace(
        sourcecache=SimpleNamespace(open=lambda source: io.StringIO(path.read_text(encoding="utf-8")))
    )
    return parse(LocalSourceFile(str(path)), opened, {})[0]
