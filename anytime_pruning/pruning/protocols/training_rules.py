"""Define the rules by which a protocol trains on a megabatch, without importing torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingRules:
    """Holds the rules of training in which protocols differ.

    Attributes:
        selects_on_augmented: whether validation on augmented images selects the best epoch.
        averages_batches: whether the validation accuracy that selects the best epoch is a mean of float32 percentages
            of batches. Rounding then decides between epochs with equally many correct predictions. Otherwise the number
            of correct predictions selects, and the first of several best epochs wins.
        later_lr: learning rate at the start of the second and all later megabatches; None means the setting `lr`.
        keeps_single_sample: whether a single remaining sample is a batch of its own. Otherwise the sample joins the
            batch before.
    """

    selects_on_augmented: bool = False
    averages_batches: bool = False
    later_lr: float | None = None
    keeps_single_sample: bool = False
