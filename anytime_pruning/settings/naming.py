"""Name a run by its settings."""

from anytime_pruning.settings.run import RunSettings


def run_name(settings: RunSettings) -> str:
    """<dataset>/<model>/T<n>/<method>/<pruner>/seed<k>-<digest>: readable, and unique by the digest of all settings."""
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
