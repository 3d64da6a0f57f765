"""``ft.explain.dynamics``: how a LAVAR's latent state moves, and what it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.compare.tests import diebold_mariano, fewest, holm
from foretide.explain.latent.modes import eigenvalues_of, impact_of, state_responses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.explain.latent.reading import Reading
    from foretide.explain.latent.summary import DynamicsSummary
    from foretide.forecasters.lavar.lavar import LAVAR

    Floats = NDArray[np.float64]


def dynamics(
    lavar: LAVAR,
    panel: Panel,
    cutoffs: Sequence[Any] | None = None,
    *,
    shocks: str = "cholesky",
    order: Sequence[int] | None = None,
    level: float = 95,
) -> DynamicsSummary:
    """Say how the latent state of a fitted LAVAR moves, which targets it moves, and what it stands for.

    Eigenvalues, impulse responses, variance decomposition, loadings, paths, and the error of the rolled-out state
    against persistence; see :class:`foretide.explain.latent.summary.DynamicsSummary`.

    Parameters
    ----------
    lavar : LAVAR
        Fitted. The eigenvalues of a GRU are those of its linearisation at the mean state.
    panel : Panel
        Best the whole one, training part included: covariances and correlations come from the rows that ``fit`` saw.
    cutoffs : sequence of times, optional
        Origins for errors and responses of targets; by default all after what ``fit`` saw, or all, where there are none
        (``in_sample`` is then true and the sentences say so).
    shocks : {"cholesky", "generalised"}
        How correlated one-step errors become shocks; see :func:`foretide.explain.latent.modes.impact_of`.
    order : sequence of int, optional
        Order of the latents in the Cholesky factor; z1, z2, ... by default.
    level : float
        Of the intervals, in percent.

    Notes
    -----
    Source: Lütkepohl (2005), "New Introduction to Multiple Time Series Analysis", chapter 2.
    """
    from foretide.explain.latent.reading import Reading
    from foretide.explain.latent.summary import DynamicsSummary
    from foretide.explain.latent.targets import target_responses

    if not 0 < level < 100:
        raise ConfigError(f"level is in percent, between 0 and 100; got {level!r}. Type level=95.")
    reading = Reading.of(lavar, panel, cutoffs)
    error = reading.one_step_errors()
    # Without the mean taken off: a bias of the dynamics is an error too.
    covariance = error.T @ error / max(len(error), 1)
    impact = impact_of(covariance, shocks, order)
    companion = reading.companion()
    responses = state_responses(companion, impact, reading.h)
    moved, forecast = target_responses(reading, responses)
    chosen = range(len(covariance)) if order is None else order
    jacobian, correlation = _loadings(reading)
    return DynamicsSummary(
        lavar.name, reading.parts.state.model.config.dynamics, reading.latents, panel.targets, reading.columns,
        eigenvalues_of(companion), covariance, shocks,
        tuple(int(k) for k in chosen) if shocks == "cholesky" else (), responses, moved, forecast, jacobian,
        correlation, reading.in_sample, len(reading.windows), level, _path(reading), _errors(reading, level),
        panel.names.backend,
    )  # fmt: skip


def _loadings(reading: Reading) -> tuple[Floats, Floats]:
    """Jacobian of the decoder at the mean state and correlations, ``[C, K]`` each."""
    import torch

    state = reading.parts.state
    at = torch.from_numpy(state.location).float()
    jacobian_of: Any = torch.autograd.functional.jacobian
    slope = jacobian_of(state.model.decode, at)
    jacobian = slope.double().numpy() * state.scale
    x, z = reading.x[reading.learned], reading.z[reading.learned]
    x, z = x - x.mean(axis=0), z - z.mean(axis=0)
    size = np.sqrt(np.outer((x**2).sum(axis=0), (z**2).sum(axis=0)))
    return jacobian, np.where(size > 0, x.T @ z / np.where(size > 0, size, 1.0), np.nan)


def _path(reading: Reading) -> pd.DataFrame:
    panel = reading.panel
    entity = np.repeat(np.arange(panel.n_entities), panel.length)[reading.known]
    steps = np.concatenate([panel.first[i] + np.arange(panel.length[i]) for i in range(panel.n_entities)])
    columns: dict[str, Any] = {
        panel.names.id: np.array(panel.ids, dtype=object)[entity],
        panel.names.time: panel.grid.output_times(steps[reading.known]),
    }
    return pd.DataFrame({**columns, **dict(zip(reading.latents, reading.z[reading.known].T, strict=True))})


def _errors(reading: Reading, level: float) -> pd.DataFrame:
    """Errors of rollout and persistence by step ahead, tested by cutoff."""
    steps, where = np.unique(reading.windows.steps(reading.panel), return_inverse=True)
    distance = int(np.diff(steps).min()) if len(steps) > 1 else 1
    ours, kept = (_by_cutoff(e, where, len(steps)) for e in reading.errors_ahead())
    rows = []
    for h in range(1, reading.h + 1):
        a, b = ours[:, h - 1], kept[:, h - 1]
        seen = ~np.isnan(a - b)
        n = int(seen.sum())
        mse, persistence = (float(v[seen].mean()) if n else np.nan for v in (a, b))
        row = {
            "h_step": h, "n": n, "mse": mse, "persistence": persistence,
            "skill": 1 - mse / persistence if n and persistence > 0 else np.nan, "difference": mse - persistence,
            "low": np.nan, "high": np.nan, "p_value": np.nan,
        }  # fmt: skip
        overlap = -(-h // distance)
        if n >= fewest(overlap):
            test = diebold_mariano(a, b, h=overlap)
            row["low"], row["high"] = test.interval(level)
            row["p_value"] = test.p_value
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p_value"].to_list()))


def _by_cutoff(errors: Floats, where: NDArray[np.intp], n: int) -> Floats:
    """Mean over entities, ``[W, H] -> [cutoffs, H]``; NaN where nothing is known."""
    seen = ~np.isnan(errors)
    total, count = np.zeros((n, errors.shape[1])), np.zeros((n, errors.shape[1]))
    np.add.at(total, where, np.where(seen, errors, 0.0))
    np.add.at(count, where, seen)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
