"""Say in one line how to install a package that only some commands and settings need."""

from collections.abc import Iterator
from contextlib import contextmanager

from anytime_pruning.foundation.errors import SettingError

# The extra of this package that installs each module.
EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "sklearn"), "train"),
    **dict.fromkeys(("jinja2", "matplotlib", "scipy", "seaborn", "statsmodels"), "figures"),
    **dict.fromkeys(("nbclient", "nbconvert", "nbformat"), "report"),
    **dict.fromkeys(("onnx", "onnx_ir", "onnxscript", "torch_pruning"), "export"),
    **dict.fromkeys(("tensorboard", "wandb"), "trackers"),
}


@contextmanager
def naming_missing_package() -> Iterator[None]:
    """Turn a failed import of a package of an extra, in a block, into one line that says how to install it.

    Raises:
        SettingError: the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        extra = EXTRAS[error.name]
        raise SettingError(f"{error.name} is not installed; pip install 'anytime-pruning[{extra}]'") from None
