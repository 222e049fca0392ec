"""Which image this is, whatever file it lies in."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def fingerprint(voxels: npt.NDArray[np.generic]) -> str:
    """
    Name the content of an image: the same voxels saved in another format keep their name.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X), any dtype
        Values count as float32, so that 8, 16 and 32 bits make no difference. A crop, a resampled or a
        rescaled copy is another image.

    Returns
    -------
    name : str
        32 hexadecimal digits.

    Examples
    --------
    >>> image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    >>> fingerprint(image) == fingerprint(image.astype(float))
    True
    >>> fingerprint(image) == fingerprint(image.reshape(4, 3))
    False
    """
    # A stack of one plane is that plane: file formats disagree about it.
    shape = voxels.shape[1:] if voxels.ndim == 3 and len(voxels) == 1 else voxels.shape
    digest = hashlib.blake2b(repr(shape).encode(), digest_size=16)
    for plane in voxels if voxels.ndim == 3 else voxels[None]:
        digest.update(np.ascontiguousarray(plane, dtype="<f4").data)
    return digest.hexdigest()
