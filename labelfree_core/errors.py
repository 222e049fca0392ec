"""What can go wrong in a way that the person at the screen can mend.

Pages and the command line show the text of these errors as they are. Any other
exception is a bug in this software and must stay visible as one.
"""


class LabelFreeError(ValueError):
    """A problem the person can mend: what was found, what is needed, what to do next."""


class ImageError(LabelFreeError):
    """The image file, or what it holds, can't be used as it is."""


class ModelError(LabelFreeError):
    """The model, its card or its weights can't be used."""


class PredictionError(LabelFreeError):
    """This image and this model do not fit together, or the machine can't run them."""


class PredictionCancelled(PredictionError):
    """The person stopped the prediction; nothing is wrong."""
