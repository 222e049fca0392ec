"""
Predict fluorescence from transmitted-light images, compare it with the stain, judge how far to trust it.

The verbs a script needs are here; each is imported from its room when it is first used,
so that ``import labelfree_core`` takes no time and does not start PyTorch.

Examples
--------
>>> import labelfree_core as lf
>>> sorted(lf.__all__)[:3]
['Evidence', 'ImageStack', 'LabelFreeError']
"""

from importlib import import_module

_HOME = {
    "Evidence": "analysis.against",
    "ImageStack": "images.stack",
    "LabelFreeError": "errors",
    "ModelCard": "models.card",
    "PredictOptions": "inference.predict",
    "Prediction": "inference.prediction",
    "TrustOptions": "analysis.trust",
    "agreement": "analysis.masks",
    "blink_gif": "reports.gif",
    "clip_to_mask": "analysis.masks",
    "comparable": "analysis.alignment",
    "differences": "analysis.difference",
    "estimate": "inference.predict",
    "examine": "images.health",
    "find_model": "models.store",
    "find_objects": "analysis.objects",
    "limits": "analysis.display",
    "list_models": "models.store",
    "match_affine": "analysis.alignment",
    "open_image": "images.reading",
    "otsu_threshold": "analysis.masks",
    "predict": "inference.predict",
    "prepare": "inference.predict",
    "prepare_observed": "inference.predict",
    "project": "analysis.display",
    "propose": "images.proposal",
    "samples": "images.samples",
    "scores": "analysis.scores",
    "spread": "analysis.spread",
    "training_use": "models.seen",
    "trust": "analysis.trust",
    "write_mask": "images.writing",
    "write_stack": "images.writing",
}

__version__ = "0.1.0"
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'labelfree_core' has no attribute {name!r}")
    return getattr(import_module(f"labelfree_core.{_HOME[name]}"), name)
