"""``ft.explain.dynamics``: how a LAVAR's latent state moves, and what it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretide.errors import ConfigError
from foretide.explain.latent.modes import eigenvalues_of, impact_of, state_responses
from foretide.explain.latent.reading import Reading
from foretide.explain.latent.summary import DynamicsSummary
from foretide.explain.latent.targets import target_responses

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.typing import Times


def dynamics(
    lavar: LAVAR,
    panel: Panel,
    cutoffs: Times | Windows | None = None,
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

    Returns
    -------
    DynamicsSummary

    Raises
    ------
    ConfigError
        For another model, and for shocks, an order or a level that cannot be.
    NotFittedError, DataError
        For a model that is not fitted, and a panel it cannot read.

    Notes
    -----
    Source: Lütkepohl (2005), "New Introduction to Multiple Time Series Analysis", chapter 2.
    """
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
    positions = range(len(covariance)) if order is None else order
    jacobian, correlation = reading.loadings()
    return DynamicsSummary(
        model=lavar.name, kind=reading.parts.state.model.config.dynamics, latents=reading.latents,
        targets=panel.targets, columns=reading.columns, eigenvalues=eigenvalues_of(companion), covariance=covariance,
        shocks=shocks, order=tuple(int(k) for k in positions) if shocks == "cholesky" else (), responses=responses,
        target_responses=moved, forecast=forecast, jacobian=jacobian, correlation=correlation,
        in_sample=reading.in_sample, n_windows=len(reading.windows), level=level, _path=reading.path(),
        _errors=reading.errors_by_step(level), _backend=panel.names.backend,
        _fitted=reading.steps()[reading.known] <= reading.end,
    )  # fmt: skip
