"""
The limits of this installation, read from environment variables in one place.

Every limit has a default that suits one person on one computer. A shared server sets
the variables before it starts; nothing else needs to change.

==========================  ==============  ====================================================
variable                    default         meaning
==========================  ==============  ====================================================
LABELFREE_MEMORY_SHARE      0.5             share of the free memory one prediction may take
LABELFREE_MEMORY_MIB        (none)          upper limit of one prediction, whatever is free
LABELFREE_THREADS           (all cores)     processor threads of the prediction worker
LABELFREE_QUEUE_PER_USER    4               predictions one person may have waiting or running
LABELFREE_QUEUE             32              predictions waiting or running for everyone together
LABELFREE_RESULTS           8               finished results that wait for one person, oldest go first
LABELFREE_RESULTS_MIB       2000            their memory together; the newest is always kept
LABELFREE_SESSION_MIB       4096            memory of one person's open image and results together
LABELFREE_CACHE_MIB         1024            memory of what one person's pages have worked out from these
LABELFREE_ALL_CACHES_MIB    4096            the same for everyone together, with the channels that were read
LABELFREE_MAX_MVOXELS       1000            largest image in millions of voxels
LABELFREE_UPLOADS_MIB       8192            files one person may have stored at once, together
LABELFREE_MODEL_UPLOADS     true            whether a person may add a model file
LABELFREE_KEEP_MODELS       true            whether, on one's own computer, it may be kept for good
LABELFREE_TRAININGS         1               trainings running at once for everyone together
LABELFREE_TRAINING_MIB      (none)          memory of one training; if not set, that of a prediction
LABELFREE_TRAINING_MINUTES  120             longest training of the page "Train your own"
LABELFREE_IDLE_MINUTES      10              idle worker is stopped, unused results are deleted
==========================  ==============  ====================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from labelfree_core.errors import LabelFreeError


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Limits of one installation; the table of the module says what each one does.

    Examples
    --------
    >>> Settings.read({"LABELFREE_THREADS": "2"}).threads
    2
    """

    memory_share: float = 0.5
    memory_mib: int | None = None
    threads: int | None = None
    queue_per_user: int = 4
    queue: int = 32
    results: int = 8
    results_mib: float = 2000.0
    session_mib: float = 4096.0
    cache_mib: float = 1024.0
    all_caches_mib: float = 4096.0
    max_mvoxels: float = 1000.0
    uploads_mib: float = 8192.0
    model_uploads: bool = True
    keep_models: bool = True
    trainings: int = 1
    training_mib: int | None = None
    training_minutes: float = 120.0
    idle_minutes: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.memory_share <= 1:
            raise LabelFreeError(
                f"LABELFREE_MEMORY_SHARE is {self.memory_share}; it is a share of the free memory, "
                "more than 0 and at most 1. Set it to 0.5, for example."
            )
        for name in (
            "memory_mib",
            "threads",
            "queue_per_user",
            "queue",
            "results",
            "results_mib",
            "session_mib",
            "cache_mib",
            "all_caches_mib",
            "max_mvoxels",
            "uploads_mib",
            "trainings",
            "training_mib",
            "training_minutes",
            "idle_minutes",
        ):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise LabelFreeError(
                    f"LABELFREE_{name.upper()} is {value}; it has to be positive. Correct it."
                )

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """
        Read the settings from the environment.

        Parameters
        ----------
        environment : mapping of str to str, optional
            Instead of the variables of this process.

        Raises
        ------
        LabelFreeError
            If a variable is no number, or no possible one.
        """
        source = os.environ if environment is None else environment
        given = Settings()
        return cls(
            memory_share=_number(source, "MEMORY_SHARE", given.memory_share),
            memory_mib=_optional(source, "MEMORY_MIB"),
            threads=_optional(source, "THREADS"),
            queue_per_user=int(_number(source, "QUEUE_PER_USER", given.queue_per_user)),
            queue=int(_number(source, "QUEUE", given.queue)),
            results=int(_number(source, "RESULTS", given.results)),
            results_mib=_number(source, "RESULTS_MIB", given.results_mib),
            session_mib=_number(source, "SESSION_MIB", given.session_mib),
            cache_mib=_number(source, "CACHE_MIB", given.cache_mib),
            all_caches_mib=_number(source, "ALL_CACHES_MIB", given.all_caches_mib),
            max_mvoxels=_number(source, "MAX_MVOXELS", given.max_mvoxels),
            uploads_mib=_number(source, "UPLOADS_MIB", given.uploads_mib),
            keep_models=_yes(source, "KEEP_MODELS", default=given.keep_models),
            model_uploads=_yes(source, "MODEL_UPLOADS", default=given.model_uploads),
            trainings=int(_number(source, "TRAININGS", given.trainings)),
            training_mib=_optional(source, "TRAINING_MIB"),
            training_minutes=_number(source, "TRAINING_MINUTES", given.training_minutes),
            idle_minutes=_number(source, "IDLE_MINUTES", given.idle_minutes),
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that make another process read these settings."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            f"LABELFREE_{name.upper()}": str(value) for name, value in values.items() if value is not None
        }


def _number(source: Mapping[str, str], name: str, default: float) -> float:
    text = source.get(f"LABELFREE_{name}", "").strip()
    try:
        return float(text) if text else default
    except ValueError as problem:
        raise LabelFreeError(
            f"LABELFREE_{name} is {text!r}; it has to be a number. Correct it or leave it unset."
        ) from problem


def _optional(source: Mapping[str, str], name: str) -> int | None:
    value = _number(source, name, float("nan"))
    return None if value != value else int(value)


def _yes(source: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = source.get(f"LABELFREE_{name}", "").strip().lower()
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": default}
    if text not in known:
        raise LabelFreeError(f"LABELFREE_{name} is {text!r}; it has to be true or false. Correct it.")
    return known[text]
