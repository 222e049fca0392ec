"""From a card to the network it describes."""

from __future__ import annotations

import torch
from torch import nn

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard
from labelfree_core.models.unet import FNet

# What a card may ask for before anything is built: wide enough for every published
# network, narrow enough that no card exhausts the machine.
_FNET_LIMITS = {"n_in": (1, 16), "n_out": (1, 16), "mult_chan": (1, 256), "depth": (0, 6)}
_LARGEST_NUMBER = 4096
_LARGEST_COUNT = 250_000_000


def build(card: ModelCard) -> nn.Module:
    """
    Construct the network of a card, with random weights.

    Parameters
    ----------
    card : ModelCard
        ``architecture`` "fnet" or "compact", ``ndim`` and the ``network`` arguments.

    Returns
    -------
    network : torch module
        With ``divisor`` and ``halo``, in training mode.

    Raises
    ------
    ModelError
        If the architecture does not know an argument, or the network would be absurdly large.

    Examples
    --------
    >>> card = ModelCard("a", "A", "DNA", "bright-field", 2, "fnet", {"mult_chan": 4, "depth": 2})
    >>> build(card).divisor
    (4, 4)
    """
    _check_size(skeleton(card), card)
    return _construct(card)


def skeleton(card: ModelCard) -> nn.Module:
    """Construct the network of a card without memory for its tensors: names and shapes only."""
    _check_arguments(card)
    try:
        with torch.device("meta"):
            return _construct(card)
    except ModelError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError, KeyError, ArithmeticError) as problem:
        raise _refusal(
            card, str(problem).splitlines()[0][:200] if str(problem) else "it can't be built"
        ) from problem


def _construct(card: ModelCard) -> nn.Module:
    if card.architecture == "fnet":
        return FNet(ndim=card.ndim, **card.network)  # type: ignore[arg-type]
    # Imported here because most people run one kind of network.
    from labelfree_core.models import compact

    kind = compact.Compact2d if card.ndim == 2 else compact.Compact3d
    network: nn.Module = kind(**card.network)  # type: ignore[arg-type]
    return network


def _check_arguments(card: ModelCard) -> None:
    if card.architecture not in ("fnet", "compact") or card.ndim not in (2, 3):
        raise _refusal(card, f"architecture '{card.architecture}' with ndim {card.ndim} does not exist")
    for key, value in card.network.items():
        if card.architecture == "fnet":
            low, high = _FNET_LIMITS.get(key, (1, 0))
            if key not in _FNET_LIMITS:
                raise _refusal(card, f"it has no argument '{key[:60]}'")
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise _refusal(card, f"'{key}' is {str(value)[:40]}, and may be {low} to {high}")
        elif not _is_modest(value):
            raise _refusal(
                card, f"'{key[:60]}' is {str(value)[:40]}, which is no modest number, text or list"
            )


def _is_modest(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= 32 and all(_is_modest(item) for item in value)
    if isinstance(value, str):
        return len(value) <= 80
    return isinstance(value, (bool, int, float)) and abs(value) <= _LARGEST_NUMBER


def _check_size(network: nn.Module, card: ModelCard) -> None:
    count = sum(parameter.numel() for parameter in network.parameters())
    if count > _LARGEST_COUNT:
        raise _refusal(card, f"it would have {count:,} parameters, more than {_LARGEST_COUNT:,}")


def _refusal(card: ModelCard, found: str) -> ModelError:
    return ModelError(
        f"The network of the model '{card.id}' can't be built: {found}. "
        "Mend [network] in its card.toml, or add the model again from its source."
    )
