"""Define the options of training on a megabatch."""

from dataclasses import dataclass, field

from anytime_pruning.pruning.protocols import TrainingRules
from anytime_pruning.training.learning_rate import LearningRate


@dataclass(frozen=True)
class TrainingOptions:
    """Holds the options of training.

    Attributes:
        epochs_at: number of epochs at each megabatch; 0 where the network waits and is only evaluated.
        batch_size: samples of one SGD step.
        learning_rate: learning rate of each epoch and step.
        momentum: momentum of SGD, in [0, 1); its buffers are kept from megabatch to megabatch.
        weight_decay: L2 penalty on all parameters.
        augment: whether training images are cropped and flipped, as the dataset allows.
        precision: `float32` or `bfloat16`.
        rules: the rules of the protocol.
        compile: whether torch.compile compiles the network.
        records_steps: whether a step is recorded as a CUDA graph on a GPU.
        fuses_updates: whether a single fused kernel computes each update of the parameters.
    """

    epochs_at: tuple[int, ...]
    batch_size: int
    learning_rate: LearningRate
    momentum: float
    weight_decay: float
    augment: bool
    precision: str
    rules: TrainingRules = field(default_factory=TrainingRules)
    compile: bool = False
    records_steps: bool = True
    fuses_updates: bool = True
