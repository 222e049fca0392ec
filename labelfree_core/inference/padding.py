"""Reflect an image to the sizes a network takes, and cut the result back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.inference.tiles import up_to_multiple


@dataclass(frozen=True, slots=True)
class Padding:
    """What was added to an image of ``size`` voxels: ``before`` and ``after`` each axis."""

    size: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def to_multiples(cls, size: tuple[int, ...], divisor: tuple[int, ...]) -> Padding:
        """Plan the padding of *size* to multiples of *divisor* along the last axes."""
        whole = (1,) * (len(size) - len(divisor)) + tuple(divisor)
        extra = [up_to_multiple(n, d) - n for n, d in zip(size, whole, strict=True)]
        return cls(size, tuple(n // 2 for n in extra), tuple(n - n // 2 for n in extra))

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels after padding."""
        return tuple(b + n + a for b, n, a in zip(self.before, self.size, self.after, strict=True))

    def cut(self, voxels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Take the padding off again."""
        return voxels[tuple(slice(b, b + n) for b, n in zip(self.before, self.size, strict=True))]

    def notes(self) -> tuple[str, ...]:
        """Say what a person should know about it."""
        planes = self.size[0] if len(self.size) == 3 else 0
        added = self.before[0] + self.after[0]
        if not planes or not added:
            return ()
        if planes == 1:
            return (
                f"One plane is not a z-stack: it was repeated {1 + added} times because this model works on "
                "stacks. Take the result as a sketch; a model for planes, or a z-stack, does better.",
            )
        advice = f"the {'outer' if added < planes else 'whole'} planes are less certain than usual"
        return (
            f"{added} mirrored planes were added to the {planes} of the image, because the network takes "
            f"multiples of {planes + added if added >= planes else _step(planes, added)}: {advice}.",
        )


def pad(voxels: npt.NDArray[np.float32], divisor: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], Padding]:
    """
    Reflect an image to multiples of *divisor*.

    Parameters
    ----------
    voxels : float32 array, shape (Z, Y, X) or (Y, X)
    divisor : tuple of int
        For the last axes; an axis before them (planes of a 2-D model) is left alone.

    Returns
    -------
    padded : float32 array
        The same array where nothing is missing.
    padding : Padding
        Undoes it with :meth:`Padding.cut`.

    Examples
    --------
    >>> padded, padding = pad(np.float32([[1, 2, 3]]), (1, 4))
    >>> padded.tolist(), padding.cut(padded).tolist()
    ([[1.0, 2.0, 3.0, 2.0]], [[1.0, 2.0, 3.0]])
    """
    padding = Padding.to_multiples(voxels.shape, divisor)
    width = list(zip(padding.before, padding.after, strict=True))
    if not any(map(any, width)):
        return voxels, padding
    # An axis of one voxel has nothing to reflect; numpy repeats it.
    return np.pad(voxels, width, mode="reflect"), padding


def _step(planes: int, added: int) -> int:
    total = planes + added
    return max(step for step in (64, 32, 16, 8, 4, 2, 1) if total % step == 0 and step > added)
