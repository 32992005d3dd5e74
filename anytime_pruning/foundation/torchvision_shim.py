"""Import torchvision where only its Python parts are needed and its native library may not load.

A torchvision built for CUDA stops on import beside a CPU-only torch: it annotates operators (`nms`, `qnms`) that its
native library would have declared. Datasets and network classes do not use them, so declaring the two is enough. See
issues 9077 and 9085 of pytorch/vision.
"""

import sys
from types import ModuleType

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared = []  # keeps the declarations alive


def import_torchvision() -> ModuleType:
    """Torchvision with its `models` and `datasets` usable, whether or not its native library loads."""
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        _declared.append(library)
        import torchvision
    return torchvision
