"""Predict fluorescence from transmitted-light images, compare it with the stain, and judge how far to trust it."""

