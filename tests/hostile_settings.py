"""Generate hostile configuration files: valid files with a few edits, by value or by line, and arbitrary texts."""

import json
import math

import yaml
from conftest import ROOT
from hypothesis import strategies as st

STUDIES = [ROOT / "config" / f"{name}.yaml" for name in ("demo", "starts", "paper")]
CLAIMS = ROOT / "config" / "claims.yaml"
RUN = {
    "dataset": {
        "name": "mine",
        "source": "image_folder",
        "path": "data/mine.zip",
        "content_sha256": "0" * 64,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
    },
    "model": "resnet20",
    "n_megabatches": 4,
    "seed": 3,
    "method": "app",
    "pruner": "snip",
    "tau": 4.5,
    "lr_milestones": [2, 4],
    "initial_mask": {"path": "x.safetensors", "sha256": "0" * 64},
    "execution": {"device": "cpu", "threads": 1, "data_dir": "data", "tracker": "none"},
}
# These values are written into a text without quotes. The first of these values are allowed for some key.
RAW = (
    *("1", "2", "3", "8", "0.5", "true", "off", "null", "cpu", "digits", "app", "osp", "dense", "0x10", "1_0", "1e-1"),
    *("[1]", "[1, 2]", "[[1, 2], [3]]", "[0.1, 0.2, 0.3]", "[app, dense]", "none", "local", "released", "{}", "[]"),
    *(
        "-1",
        "0",
        "1e999",
        "-.inf",
        ".nan",
        "2001-02-03",
        "2001-99-99",
        "1:60:60",
        "~",
        "=",
        "!!python/object:os.system x",
    ),
    *(
        "!!int abc",
        "!!float x",
        "!!binary ////",
        "!!binary cmVzbmV0MjA=",
        "!!timestamp x",
        "!!set {1, 2}",
        "!!omap [a: 1]",
    ),
    *("!!python/name:os.system", "!local x", "*missing", "&a [*a]", "&a {b: *a}", "{<<: [1]}", "{1: 2}", "{? [1] : 2}"),
    *(
        "../x",
        "/etc/x",
        "a/../../b",
        "C:\\x",
        "~/x",
        "x.",
        "x..",
        "x/",
        "..",
        ".",
        "CON",
        '"a\\nb"',
        '"\\0"',
        '"\\e[2J"',
    ),
    *(
        '"\\u202Eabc"',
        '"\\uD800"',
        '"é"',
        '"\\u0660"',
        '"cuda:\\u0663"',
        '"{x}"',
        '"$(id)"',
        '"a b"',
        '""',
        "'",
        "\t",
        "- x",
    ),
    *(
        "9" * 400,
        "-" + "9" * 5000,
        "0x" + "f" * 5000,
        "1" + ":59" * 300,
        "1e400",
        "9007199254740993",
        "1.0e-320",
        "[" * 3000,
    ),
    *("[" * 15 + "]" * 15, "{a: " * 30 + "1" + "}" * 30, '"' + "long" * 5000 + '"', "[" + "7, " * 3000 + "7]"),
    *("[" + ", ".join(map(str, range(300))) + "]", "[&x [1, 2, 3], *x, *x]", "&b [&c [1, 1], *c, *c]"),
)
LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))
MERGES = "a: &a {x: 1}\n" + LAUGHS.split("\n", 1)[1].replace("[", "{<<: [").replace("]", "]}")
TEXTS = (
    *(
        "",
        "---",
        "x",
        "[]",
        "- a",
        "a: 1\na: 2",
        "\ufeffstudy: x",
        "study: x\0",
        "%YAML 9.9\n---\nstudy: x",
        LAUGHS,
        MERGES,
    ),
    *(
        "study: x\n---\nstudy: y",
        "? [a]\n: 1",
        "&a {study: *a}",
        "[" * 100_000,
        "- " * 50_000,
        "{a: " * 50_000,
        "!!python/object/apply:os.abort []",
    ),
    *("study: " + "x" * 200_000, "x" * 200_000 + ": 1", "#" * (2**20 + 1), "study: [\n" + "1,\n" * 60_000 + "]"),
)
VALUES = st.one_of(
    st.sampled_from(RAW),
    st.sampled_from(RAW[:26]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=20).map(json.dumps),
    st.text(max_size=8),
    st.integers(1, 9).map(str),
    st.floats(0.01, 1).map(str),
)
# Values that often replace the value of a key, so that many edited files remain valid.
ALLOWED = {
    **dict.fromkeys(("seed", "n_megabatches", "epochs", "train_limit"), ("1", "2.0", "'7'", "0x10", "1_0", "[3, 4]")),
    **dict.fromkeys(("batch_size", "buffer_size", "image_size", "warmup_epochs", "shots"), ("4", "8", "[16, 32]")),
    **dict.fromkeys(("lr", "momentum", "valid_frac", "sample_frac"), ("0.5", "'1e-1'", "[0.1, 0.3]", "1.0e-300")),
    **dict.fromkeys(
        ("path", "data_dir", "container"), ("x", "data/a b.tar", "../x", "/etc/passwd", "é", "~", "''", ".")
    ),
    **{"tau": ("1", "3", "1000"), "base_density": ("1", "0.99"), "lr_milestones": ("[]", "[1]", "[[1], [2, 3]]")},
    **{"method": ("app", "[osp, dense]"), "pruner": ("grasp", "[snip, random]"), "model": ("vgg16_bn", "resnet18")},
    **{"start": ("cold", "[warm, dash]"), "selection": ("n_m", "filter"), "pattern": ("'1:4'",), "wait": ("2",)},
    **{"regrow": ("rigl", "[none, set]"), "regrow_steps": ("0", "7"), "regrow_frac": ("0.5",), "scope": ("local",)},
    **{"start_momentum": ("reset",), "rewind_epoch": ("0", "1"), "shrink": ("0.5",), "perturb": ("0", "0.1")},
    **{"precision": ("bfloat16",), "prunable": ("[conv, linear]",), "keep": ("[]",), "lr_gamma": ("0.5",)},
    **{"prune_on": ("megabatch",), "weight_decay": ("0",), "own_code": ("{}",), "initial_weights": ("null",)},
    **{"study": ("a..b", "X", "0-_."), "name": ("a..b", "X"), "dataset": ("digits", "cifar100"), "replay": ("buffer",)},
    **{"device": ("auto", "cuda:7"), "threads": ("512",), "augment": ("off",), "claimed": ("1.5",), "id": ("x y",)},
    **{"datasets": ("{}",), "defaults": ("{}",), "execution": ("{}", "{threads: 2}"), "initial_mask": ("null",)},
    **{
        "text": ("'a\\nb'",),
        "source": ("digits", "here"),
        "unit": ("%",),
        "settings": ("{}",),
        "protocol": ("released",),
    },
}
KEYS = st.sampled_from([*sorted(ALLOWED), "grid", "flip", "channels", "<<", "nonsense", "1"])


def edited(base):
    """Draw the text of a mapping with up to four edits: values replaced, keys removed, added, repeated or exchanged."""
    return st.lists(
        st.tuples(st.integers(0, 10**4), st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5]), KEYS, VALUES), max_size=4
    ).map(lambda edits: _write(_edit(_pairs(base), edits)))


def edited_lines(text):
    """Draw a text of which a few lines are removed, repeated, moved, indented or broken."""
    edits = st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 6), VALUES), min_size=1, max_size=3)
    return edits.map(lambda edits: _edit_lines(text.splitlines(), edits))


def files(*bases):
    """Draw the bytes of configuration files.

    Args:
        bases: valid files, each as a mapping or as text.
    """
    edits = [edited(yaml.safe_load(base) if isinstance(base, str) else base) for base in bases]
    lines = [edited_lines(base if isinstance(base, str) else yaml.safe_dump(base)) for base in bases]
    written = st.one_of(*edits * 3, *lines, st.sampled_from(TEXTS), st.text(max_size=200))
    return st.one_of(*[written.map(_encode)] * 8, _damaged(written))


def _damaged(texts):
    cut = st.tuples(texts.map(_encode), st.integers(0, 10**4)).map(lambda drawn: drawn[0][: drawn[1]])
    encoded = texts.map(lambda text: text.encode("utf-16", errors="replace"))
    return st.one_of(cut, encoded, st.binary(max_size=100))


def _encode(text):
    return text.encode(errors="surrogatepass")


class Raw(str):
    """Mark a text that is written without quotes."""


def _pairs(value):
    """Turn mappings into tuples ("map", [[key, value], ...]), which may repeat a key, and lists into ("list", ...)."""
    if isinstance(value, dict):
        return ("map", [[key, _pairs(item)] for key, item in value.items()])
    return ("list", [[None, _pairs(item)] for item in value]) if isinstance(value, list) else value


def _places(tree):
    """Iterate over the (entries, index) of every value in a tree."""
    if isinstance(tree, tuple):
        for index, (_, item) in enumerate(tree[1]):
            yield tree[1], index
            yield from _places(item)


def _edit(tree, edits):
    for place, kind, key, value in edits:
        places = list(_places(tree))
        if not places:
            break
        entries, index = places[place % len(places)]
        if kind == 0:
            key = entries[index][0]
            entries[index] = [key, Raw(ALLOWED.get(key, (value,))[place % len(ALLOWED.get(key, "x"))])]
        elif kind == 1:
            entries[index] = [entries[index][0], Raw(value)]
        elif kind == 2:
            del entries[index]
        elif kind == 3:
            entries.insert(index, [key, Raw(value)])
        elif kind == 4:
            entries.append(entries[index])
        else:
            entries[index] = [key, entries[index][1]]
    return tree


def _write(tree):
    if not isinstance(tree, tuple):
        return tree if isinstance(tree, Raw) else ".nan" if tree != tree else json.dumps(_finite(tree), default=str)
    kind, entries = tree
    if kind == "list":
        return f"[{', '.join(_write(item) for _, item in entries)}]"
    return "{" + ", ".join(f"{key}: {_write(item)}" for key, item in entries) + "}"


def _finite(value):
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _edit_lines(lines, edits):
    for place, kind, value in edits:
        i = place % max(1, len(lines))
        if kind == 0:
            lines[i : i + 1] = []
        elif kind == 1:
            lines[i:i] = lines[i : i + 1]
        elif kind == 2:
            lines[i:i] = lines[:1]
        elif kind == 3:
            lines[i : i + 1] = [f" {line}" for line in lines[i : i + 1]]
        elif kind == 4:
            lines[i : i + 1] = [line.partition(":")[0] + f": {value}" for line in lines[i : i + 1]]
        elif kind == 5:
            lines[i:i] = [f"  {value}"]
        else:
            lines[i:i] = [value]
    return "\n".join(lines)
