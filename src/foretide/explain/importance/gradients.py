"""``ft.explain.input_gradients``: what each input of a window adds to a forecast, by integrated gradients (captum)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.windows import Windows, at_cutoffs
from foretide.errors import ConfigError, MissingExtraError, nearest
from foretide.explain.origins import fit_end, panel_for
from foretide.explain.summary import Summary
from foretide.forecasters.networks.neural import NeuralForecaster, in_batches
from foretide.text import joined
from foretide.typing import Floats

if TYPE_CHECKING:
    import torch

    from foretide.data.panel import Panel
    from foretide.models.inputs import Inputs
    from foretide.training.network import Network
    from foretide.training.store import WindowBatches
    from foretide.typing import Frame, Times

NAMED = 3
"""So many columns are named."""
AT_ONCE = 1024
"""Rows of a forward pass: windows times steps of the integral."""


@dataclass(frozen=True, eq=False)
class InputGradients(Summary):
    """Attributions of one target at some horizon steps; ``N`` windows, ``L`` lookback, ``C`` channels.

    Attributes
    ----------
    model, target : str
    h_steps : tuple of int
        Horizon steps, from 1, whose mean forecast is attributed.
    past : ``[N, L, C]``
        What each value of targets and past columns adds to the forecast, in original units of the target, oldest first.
    known : ``[N, L + H, G]``
        The same for known-future columns and calendar features; ``G`` may be 0.
    channels, known_names : tuples of str
    total : ``[N]``
        Forecast minus the forecast of the baseline.
    gap : ``[N]``
        Sum of all attributions minus ``total``: what the numerical integral misses.
    windows : Windows
    """

    model: str
    target: str
    h_steps: tuple[int, ...]
    past: Floats
    known: Floats
    channels: tuple[str, ...]
    known_names: tuple[str, ...]
    total: Floats
    gap: Floats
    windows: Windows
    _backend: str = "pandas"

    def table(self) -> Frame:
        """Columns ``column, mean_size, share``: mean over windows of the absolute attributions, summed over steps."""
        size = np.concatenate([np.abs(self.past).sum(axis=1).mean(axis=0), np.abs(self.known).sum(axis=1).mean(axis=0)])
        whole = size.sum()
        frame = pd.DataFrame({
            "column": [*self.channels, *self.known_names], "mean_size": size,
            "share": size / whole if whole > 0 else np.full(len(size), np.nan),
        })  # fmt: skip
        return self._frame(frame.sort_values("mean_size", ascending=False, kind="stable", ignore_index=True))

    def by_lag(self) -> Frame:
        """Columns ``column, lag, mean_size``: lag 0 is the newest step; mean absolute attribution over windows."""
        n, size = len(self.channels), self.past.shape[1]
        return self._frame(pd.DataFrame({
            "column": np.repeat(list(self.channels), size), "lag": np.tile(np.arange(size)[::-1], n),
            "mean_size": np.abs(self.past).mean(axis=0).T.reshape(-1),
        }))  # fmt: skip

    def tables(self) -> dict[str, pd.DataFrame]:
        """``gradients``, as :meth:`table`, and ``gradients_by_lag``."""
        tables = self._pandas("table", "by_lag")
        return {"gradients": tables["table"], "gradients_by_lag": tables["by_lag"]}

    def sentences(self) -> list[str]:
        """What the forecast answers to most, and how exact that is."""
        table, gap = self._pandas("table")["table"], float(np.abs(self.gap).max(initial=0.0))
        top = [f"{row.column} ({row.share:.0%})" for row in table.dropna().head(NAMED).itertuples()]
        most = f"answers most to {joined(top)} of what its inputs add" if top else "answers to none of its inputs"
        return [
            f"The forecast of {self.target} by {self.model} {most}, over {len(self.total)} windows.",
            f"The attributions miss the forecasts' change by at most {gap:.2g}.",
        ]

    def __repr__(self) -> str:
        worst = float(np.abs(self.gap).max(initial=0.0))
        n = len(self.total)
        return f"InputGradients({self.model}: {self.target}, {n} windows, integral off by at most {worst:.2g})"


def input_gradients(
    model: NeuralForecaster,
    panel: Panel | Frame,
    cutoffs: Times | Windows | None = None,
    *,
    target: str | None = None,
    h_step: int | None = None,
    n_steps: int = 32,
) -> InputGradients:
    """Attribute the forecasts of an LSTM or Attention to single input values by integrated gradients.

    The baseline is the training mean of every column (zero in scaled units). Attributions add up to the forecast minus
    the forecast of the baseline, as far as the integral is exact (``gap``). They say what the network responds to, not
    what lowers its error: for that see :func:`foretide.explain.importance.importance.inputs`.

    Parameters
    ----------
    model : LSTM or Attention
        Fitted.
    panel : Panel, pandas or polars data frame
    cutoffs : sequence of times, optional
        The end of every series by default.
    target : str, optional
        The first by default.
    h_step : int, optional
        Horizon step from 1; by default the mean over all.
    n_steps : int
        Points of the Gauss–Legendre rule along the way from the baseline.

    Returns
    -------
    InputGradients

    Notes
    -----
    Source: Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks"; computed by captum.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.planted_lags(T=160, lags=(7,), weights=(0.8,), seed=1).panel
    >>> model = ft.LSTM(h=2, input_size=10, hidden=8, epochs=0).fit(panel)
    >>> summary = ft.explain.input_gradients(model, panel, n_steps=8)
    >>> bool(abs(summary.past.sum() + summary.known.sum() - summary.total.sum()) < 0.01)
    True
    """
    panel = panel_for(model, panel)
    column, steps = _checked(model, panel, target, h_step, n_steps)
    network, preparation = model._parts()
    windows = at_cutoffs(panel, cutoffs, min_history=model.min_history)
    batches = model.window_batches(panel, windows)
    view = batches.store.panel
    parts = _attributions(network, batches, column, steps, n_steps)
    unit = preparation.scale[preparation.positions(panel)[windows.entity], column]
    past, known, total, gap = (part * unit.reshape(-1, *[1] * (part.ndim - 1)) for part in parts)
    return InputGradients(
        model.name, panel.targets[column], tuple(s + 1 for s in steps), past, known, view.targets + view.past,
        preparation.known_names(view), total, gap, windows, panel.names.backend,
    )  # fmt: skip


def _attributions(
    network: Network, batches: WindowBatches, column: int, steps: list[int], n_steps: int
) -> list[Floats]:  # fmt: skip
    """Attributions of past and known values, their total and the integral's gap, in scaled units."""
    try:
        from captum.attr import IntegratedGradients  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise MissingExtraError("captum", "explain", "A gradient-based attribution") from error
    import torch

    parts: list[list[Floats]] = []
    for _, chosen in in_batches(batches, max(1, AT_ONCE // n_steps)):
        inputs = batches.inputs(chosen)
        values = tuple(t for t in (inputs.past, inputs.known_past, inputs.known) if t is not None)
        # cuDNN gives no gradients of an LSTM in evaluation mode.
        with torch.backends.cudnn.flags(enabled=False):
            added, gap = IntegratedGradients(_forward(network, inputs, column, steps)).attribute(
                values, additional_forward_args=(inputs.step, inputs.entity, inputs.static, inputs.base),
                n_steps=n_steps, method="gausslegendre", return_convergence_delta=True,
            )  # fmt: skip
        known = torch.cat(added[1:], dim=1) if len(added) > 1 else inputs.past.new_zeros(len(chosen), 0, 0)
        total = added[0].sum((1, 2)) + known.sum((1, 2)) - gap.to(added[0])
        parts.append([t.detach().double().cpu().numpy() for t in (added[0], known, total, gap)])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _forward(network: Network, like: Inputs, column: int, steps: list[int]) -> Callable[..., torch.Tensor]:
    """Function of the input tensors that gives the mean forecast ``[B]`` of a target over some steps."""
    from foretide.models.inputs import Inputs

    has_known = like.known is not None

    def forward(past: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        known_past, known = rest[:2] if has_known else (None, None)
        step, entity, static, base = rest[-4:]
        distribution, _ = network(Inputs(past, step, entity, like.h, known_past, known, static, base))
        mean: torch.Tensor = distribution.mean()[:, steps, column].mean(dim=1)
        return mean

    return forward


def _checked(
    model: NeuralForecaster, panel: Panel, target: str | None, h_step: int | None, n_steps: int
) -> tuple[int, list[int]]:
    if not isinstance(model, NeuralForecaster):
        raise ConfigError(
            f"Gradients are those of an LSTM or Attention, got {type(model).__name__}. For any forecaster: "
            "ft.explain.inputs(model, panel)."
        )
    fit_end(model, panel)
    target = panel.targets[0] if target is None else target
    if target not in panel.targets:
        raise ConfigError(f"There is no target {target!r}. {nearest(target, panel.targets)}")
    if h_step is not None and not 1 <= h_step <= model.h:
        raise ConfigError(f"h_step lies in 1 .. {model.h}, got {h_step!r}.")
    if n_steps < 1:
        raise ConfigError(f"n_steps is at least 1, got {n_steps!r}. Try n_steps=32.")
    return panel.targets.index(target), list(range(model.h)) if h_step is None else [h_step - 1]
