"""Make up collected tables with simple values, for the tests of figures and tables."""

import itertools

import pandas as pd

PAPER = (("paper", "app", "snip"), ("paper", "app", "magnitude"), ("paper", "osp", "snip"), ("paper", "dense", "none"))
RELEASED = ("released", "app", "snip")
SERIES = (*PAPER, RELEASED)


def keys(lengths=(2, 3), seeds=(0, 1), series=SERIES, dataset="digits", model="resnet20", variant=""):
    """Yield the key columns of every run."""
    for length, (protocol, method, pruner), seed in itertools.product(lengths, series, seeds):
        yield {
            "dataset": dataset,
            "model": model,
            "n_megabatches": length,
            "protocol": protocol,
            "method": method,
            "pruner": pruner,
            "seed": seed,
            "variant": variant,
            "images": "",
            "run": f"{dataset}/{model}/T{length}/{protocol}/{method}/{pruner}/{variant}/seed{seed}",
        }


def make_runs(**which):
    """Make runs with test accuracy 90 for seed 0, 92 for seed 1 and so on.

    Magnitude has one point less. Pruned runs keep 360 of 1,000 weights.
    """
    rows = []
    for key in keys(**which):
        kept = 1000 if key["method"] == "dense" else 360
        measures = {
            "test_acc_pct": 90.0 + 2 * key["seed"] - (key["pruner"] == "magnitude"),
            "cumulative_error_count": 1000 + 100 * key["seed"],
            "cumulative_error_rate": 0.1,
            "generalization_gap_pct": -1.5,
            "clean_gap_pct": 3.0,
            "density": kept / 1000,
            "kept_count": kept,
            "prunable_count": 1000,
            "parameter_count": 1100,
            "macs_kept": 10_000 * kept,
            "macs_count": 10_000_000,
            "dense_bytes": 4_000_000,
            "sparse_bytes": 5000 * kept,
            "train_macs": 6 * 10**9,
            "train_macs_kept": 6 * 10**6 * kept,
            "train_s": 60.0 + 2 * key["seed"],
            "prune_s": 0.5,
            "stream_s": 70.0,
            "train_samples_per_s": 1000.0,
            "device": "a processor",
            "precision": "float32",
            "commit": None,
        }
        rows.append(key | measures)
    return pd.DataFrame(rows)


def make_epochs(lengths=(3,), **which):
    """Make two epochs on each megabatch."""
    columns = ("train_loss", "train_acc_running_pct", "valid_loss", "valid_acc_pct")
    rows = [
        key | {"t": t, "epoch": epoch} | dict.fromkeys(columns, 1.0 + t + epoch + key["seed"])
        for key in keys(lengths=lengths, **which)
        for t in range(1, key["n_megabatches"] + 1)
        for epoch in (1, 2)
    ]
    return pd.DataFrame(rows)


def make_megabatches(**which):
    """Make a gap that rises, and a clean gap that goes up and down by 4 points, two megabatches long each.

    Test accuracy is 50 + t for seed 0, 51 + t for seed 1 and so on. APP keeps 1 / t of its weights, and OSP 1 / T.
    """
    rows = []
    for key in keys(**which):
        for t in range(1, key["n_megabatches"] + 1):
            density = {"dense": 1, "osp": 1 / key["n_megabatches"]}.get(key["method"], 1 / t)
            measures = {
                "t": t,
                "density_asked": density,
                "density_measured": density,
                "test_acc_pct": 50.0 + t + key["seed"],
                "error_count": 500 - 10 * t,
                "test_count": 1000,
                "generalization_gap_pct": t + key["seed"],
                "clean_gap_pct": 4.0 * ((t // 2) % 2),
                "train_macs": 10**9 * t,
                "train_macs_kept": int(10**9 * t * density),
            }
            rows.append(key | measures)
    return pd.DataFrame(rows)


def make_layers(lengths=(3,), **which):
    """Make three layers of 60, 120 and 120 weights, the first of which magnitude prunes harder."""
    rows = [
        key | {"t": t, "layer": layer, "kept": (total // 4 if hard and place == 0 else total // t), "total": total}
        for key in keys(lengths=lengths, **which)
        if key["method"] == "app"
        for hard in [key["pruner"] == "magnitude"]
        for t in range(1, key["n_megabatches"] + 1)
        for place, (layer, total) in enumerate((("conv1", 60), ("layer1.conv", 120), ("layer2.conv", 120)))
    ]
    return pd.DataFrame(rows)
