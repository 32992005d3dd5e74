"""Import torchvision even where its native library does not load, because the Python parts are enough here.

A torchvision built for CUDA fails to import beside a CPU build of torch, because it annotates two operators that its
native library should have declared. Datasets and network classes never call these operators, so a declaration without
an implementation is enough. See issues 9077 and 9085 of pytorch/vision.
"""

import sys
from types import ModuleType

OPERATORS = ("torchvision::nms", "torchvision::qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Return torchvision with usable `models` and `datasets`, whether or not its native library loads.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: the import fails for a reason other than the missing operators.
    """
    # The imports are inside the function, because planning and drawing, which import this room, must not wait for
    # torch.
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in OPERATORS:
            torch.library.define(operator, SCHEMA)
        import torchvision
    module: ModuleType = torchvision
    return module
