"""An optimiser for short trainings on a CPU: more progress a step, which is what a CPU has few of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOMENTUM, _SECOND = 0.9, 0.99
_TINY = 1e-8
# Coefficients of the quintic iteration: they bring singular values near 1 in five rounds (Jordan et al.).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
# With this factor an update is as large as one of AdamW's, whose learning rates then carry over.
_ADAM_SIZE = 0.2


class OrthogonalMomentum(torch.optim.Optimizer):
    """
    Momentum made orthogonal for the convolutions ("Muon"), AdamW for biases, norms and the last layer.

    Parameters
    ----------
    network : torch module
    weight_decay : float
        Share of a convolution taken off at a step, in units of the learning rate.

    References
    ----------
    .. [1] Jordan et al. (2024), Muon: An optimizer for hidden layers in neural networks.
    """

    def __init__(self, network: nn.Module, *, weight_decay: float) -> None:
        named = list(network.named_parameters())
        hidden = [p for name, p in named if p.ndim >= 4 and "head" not in name and "conv_out" not in name]
        known = {id(p) for p in hidden}
        rest = [p for _, p in named if id(p) not in known]
        groups = [{"params": hidden, "orthogonal": True}, {"params": rest, "orthogonal": False}]
        super().__init__(groups, {"lr": 1e-3, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            move = self._turn if group["orthogonal"] else self._adapt
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move(parameter, parameter.grad, group["lr"], group["weight_decay"])

    def _turn(self, parameter: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        mean.lerp_(gradient, 1 - _MOMENTUM)
        update = orthogonal(gradient.lerp(mean, _MOMENTUM).reshape(parameter.shape[0], -1))
        size = _ADAM_SIZE * max(update.shape) ** 0.5
        parameter.mul_(1 - rate * decay).add_(update.reshape(parameter.shape), alpha=-rate * size)

    def _adapt(self, parameter: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[parameter]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            state["count"] = torch.zeros(())
        state["count"] += 1
        state["mean"].lerp_(gradient, 1 - _MOMENTUM)
        state["square"].lerp_(gradient.square(), 1 - _SECOND)
        count = float(state["count"])
        spread = (state["square"] / (1 - _SECOND**count)).sqrt() + _TINY
        parameter.addcdiv_(state["mean"] / (1 - _MOMENTUM**count), spread, value=-rate)


def orthogonal(matrix: Tensor) -> Tensor:
    """
    Return a matrix of the same singular vectors whose singular values are all near 1.

    Parameters
    ----------
    matrix : tensor, shape (M, N)

    Examples
    --------
    >>> torch.linalg.svdvals(orthogonal(torch.diag(torch.tensor([3.0, 0.1])))).round()
    tensor([1., 1.])
    """
    a, b, c = _QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
