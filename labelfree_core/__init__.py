"""
Predict fluorescence from transmitted-light images, compare it with the stain, judge how far to trust it.

The verbs a script needs are here; each is imported from its room when it is first used,
so that ``import labelfree_core`` takes no time and does not start PyTorch.

Examples
--------
>>> import labelfree_core as lf
>>> sorted(lf.__all__)[:3]
['ImageStack', 'LabelFreeError', 'ModelCard']
"""

from importlib import import_module

_HOME = {
    "ImageStack": "images.stack",
    "LabelFreeError": "errors",
    "ModelCard": "models.card",
    "Prediction": "inference.prediction",
    "PredictOptions": "inference.predict",
    "agreement": "analysis.masks",
    "blink_gif": "reports.gif",
    "clip_to_mask": "analysis.masks",
    "differences": "analysis.difference",
    "estimate": "inference.predict",
    "examine": "images.health",
    "find_model": "models.store",
    "limits": "analysis.display",
    "list_models": "models.store",
    "open_image": "images.reading",
    "otsu_threshold": "analysis.masks",
    "predict": "inference.predict",
    "prepare": "inference.predict",
    "prepare_observed": "inference.predict",
    "project": "analysis.display",
    "propose": "images.proposal",
    "samples": "images.samples",
    "scores": "analysis.scores",
    "write_mask": "images.writing",
    "write_stack": "images.writing",
}

__version__ = "0.1.0"
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'labelfree_core' has no attribute {name!r}")
    return getattr(import_module(f"labelfree_core.{_HOME[name]}"), name)
