"""Make the name of a run from its settings."""

from anytime_pruning.settings.run import RunSettings


def run_name(settings: RunSettings) -> str:
    """Return the name of a run, which is also its folder below `results/<study>/runs/`.

    Returns:
        `<dataset>/<model>/T<n>/<method>/<pruner>/seed<k>-<digest>`. A reader recognises the run by the first parts;
        the digest of all settings makes the name unique.
    """
    return "/".join(
        (
            settings.dataset.name,
            settings.model,
            f"T{settings.n_megabatches}",
            settings.method,
            settings.pruner,
            f"seed{settings.seed}-{settings.digest()}",
        )
    )
