"""Number the rules that concern only some runs, so that a changed rule gives new digests to these runs alone.

RESULTS_VERSION in anytime_pruning/__init__.py concerns every run. The versions here are narrower: those of single
models, the `version` of each protocol, and that of the split of a megabatch. A digest contains a narrow version only
where this version is not 1 and concerns the run. All other runs keep their digests.
"""

from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.stream.sizes import count_valid, megabatch_sizes

# Raise the version of a model by one with every change that alters the numbers of this model's runs. A model that is
# not named here has version 1.
MODEL_VERSIONS = {"vgg16_bn": 2}
# Version 1 of the split held out round(valid_frac * size) images of a megabatch; version 2 is `count_valid`.
SPLIT_VERSION = 2


def narrow_versions(
    model: str, protocol: str, n_images: int | None, n_megabatches: int, valid_frac: float
) -> dict[str, int]:
    """Return the versions that are part of a run's identity beside RESULTS_VERSION, by the names of their keys.

    Args:
        model: name of the architecture.
        protocol: name of the protocol.
        n_images: number of images in the stream, or None if the settings do not determine the number.
        n_megabatches: T, the length of the stream.
        valid_frac: share of each megabatch that is held out for validation.

    Returns:
        The versions that are not 1. The version of the split is left out if versions 1 and 2 divide every megabatch of
        the stream alike.

    Raises:
        SettingError: the protocol is not registered.
    """
    versions = {
        "model_version": MODEL_VERSIONS.get(model, 1),
        "protocol_version": make_protocol(protocol).version,
        "split_version": 1 if _splits_alike(n_images, n_megabatches, valid_frac) else SPLIT_VERSION,
    }
    return {key: version for key, version in versions.items() if version != 1}


def _splits_alike(n_images: int | None, n_megabatches: int, valid_frac: float) -> bool:
    """Return whether versions 1 and 2 of the split give equal counts; false if the number of images is unknown."""
    if n_images is None:
        return False
    sizes = megabatch_sizes(n_images, n_megabatches)
    return all(max(1, round(valid_frac * size)) == count_valid(size, valid_frac) for size in sizes)
