"""A graphics processor that fails: told from a bug, and remembered for the rest of the process."""

from __future__ import annotations

import threading

# In lower case, as CUDA, cuDNN, ROCm and Metal write them into PyTorch's errors.
_WORDS = (
    "cuda error",
    "cudnn error",
    "cudnn_status",
    "cublas_status",
    "hip error",
    "mps backend",
    "nccl error",
)
NOTE = (
    "The graphics processor failed in the middle, so the processor computed this prediction; that took "
    "longer. If it happens again, restart the computer or update the driver."
)

# After such an error no call to the device works any more in this process, whoever makes it.
_gone = threading.Event()


def is_lost(problem: RuntimeError) -> bool:
    """
    Tell whether an error of PyTorch means that the graphics processor can't be used any more.

    Parameters
    ----------
    problem : RuntimeError

    Examples
    --------
    >>> is_lost(RuntimeError("CUDA error: unspecified launch failure"))
    True
    >>> is_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    return any(words in str(problem).lower() for words in _WORDS)


def note_loss() -> None:
    """Remember that this process has no graphics processor any more."""
    _gone.set()


def gone() -> bool:
    """Whether a graphics processor failed in this process."""
    return _gone.is_set()
