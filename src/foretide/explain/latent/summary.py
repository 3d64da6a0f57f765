"""``ft.explain.dynamics``: how a LAVAR's latent state moves, and what it moves, as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.explain.latent.modes import (
    Complexes,
    eigenvalues_of,
    impact_of,
    mode_table,
    state_responses,
    variance_shares,
)
from foretide.explain.latent.reading import Reading
from foretide.explain.latent.words import latent_sentences
from foretide.explain.origins import panel_for
from foretide.explain.summary import Summary
from foretide.typing import Array, Bools, Floats

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.typing import Frame, Times

INVARIANT = (
    "The latent state is known only up to an invertible map. Mixing the latents by a matrix changes no forecast and no "
    "eigenvalue, nor, as far as forecasts are linear in the state, the joint size of the targets' responses. It does "
    "change single latents, their paths, loadings, errors and shocks: their numbers mean nothing in another fit, and "
    "an encoder that bends the state moves eigenvalues too."
)


@dataclass(frozen=True, eq=False)
class DynamicsSummary(Summary):
    """Eigenvalues, responses, loadings, paths and errors of a latent state; ``K`` latents, ``p`` lags.

    All states are in standard units of the training part. :data:`INVARIANT` says which figures depend on the basis.

    Attributes
    ----------
    model : str
    kind : {"var", "gru"}
        A GRU is linearised at the mean state: its eigenvalues and responses hold near it.
    latents, targets, columns : tuples of str
        Names of states, targets, and of what the encoder reads (``C``).
    eigenvalues : complex ``[p K]``
        Of the companion matrix, largest modulus first. They do not depend on the basis of the latent state.
    covariance : ``[K, K]``
        Of the one-step errors over the learned rows.
    shocks : {"cholesky", "generalised"}
    order : tuple of int
        Order of the latents in the Cholesky factor; empty for generalised shocks.
    responses : ``[H, K, J]``
        Of the state to a shock of one standard deviation, from the step of the shock on.
    target_responses : ``[H, D, J]``
        Of the forecasts, in original units; the shock comes at the first step ahead. Mean over windows.
    forecast : ``[H, D]``
        Mean forecast without a shock over the same windows.
    jacobian : ``[C, K]``
        Of the decoder at the mean state: standard deviations of a covariate per standard deviation of a latent.
    correlation : ``[C, K]``
        Between covariates and latents over the learned rows; NaN where one is constant.
    in_sample : bool
        Whether the model learned from rows after the first cutoff looked at.
    n_windows : int
        Windows the latent forecast errors come from.
    level : float
        Of the intervals, in percent.
    """

    model: str
    kind: str
    latents: tuple[str, ...]
    targets: tuple[str, ...]
    columns: tuple[str, ...]
    eigenvalues: Complexes
    covariance: Floats
    shocks: str
    order: tuple[int, ...]
    responses: Floats
    target_responses: Floats
    forecast: Floats
    jacobian: Floats
    correlation: Floats
    in_sample: bool
    n_windows: int
    level: float
    _path: pd.DataFrame
    _errors: pd.DataFrame
    _backend: str = "pandas"
    _fitted: Bools | None = None

    @classmethod
    def of(
        cls, name: str, reading: Reading, panel: Panel, shocks: str, order: Sequence[int] | None, level: float
    ) -> Self:  # fmt: skip
        """Summarise what was read of a panel; as :func:`dynamics`."""
        error = reading.one_step_errors()
        # Without the mean taken off: a bias of the dynamics is an error too.
        covariance = error.T @ error / max(len(error), 1)
        companion = reading.companion()
        responses = state_responses(companion, impact_of(covariance, shocks, order), reading.h)
        moved, forecast = reading.target_responses(responses)
        positions = range(len(covariance)) if order is None else order
        jacobian, correlation = reading.loadings()
        return cls(
            model=name, kind=reading.parts.state.model.config.dynamics, latents=reading.latents,
            targets=panel.targets, columns=reading.columns, eigenvalues=eigenvalues_of(companion),
            covariance=covariance, shocks=shocks,
            order=tuple(int(k) for k in positions) if shocks == "cholesky" else (), responses=responses,
            target_responses=moved, forecast=forecast, jacobian=jacobian, correlation=correlation,
            in_sample=reading.in_sample, n_windows=len(reading.windows), level=level, _path=reading.path(),
            _errors=reading.errors_by_step(level), _backend=panel.names.backend,
            _fitted=reading.steps()[reading.known] <= reading.end,
        )  # fmt: skip

    @property
    def h(self) -> int:
        """Horizon, ``H``."""
        return len(self.responses)

    @property
    def spectral_radius(self) -> float:
        """Largest modulus of the eigenvalues."""
        return float(np.abs(self.eigenvalues).max())

    @property
    def stable(self) -> bool:
        """Whether every modulus is below one."""
        return self.spectral_radius < 1

    # ---------------------------------------------------------------- tables
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table below by its name, and ``latent_about``, a row of what they are about.

        ``path`` says besides which rows ``fit`` saw, ``latent_errors`` the level of its intervals.
        """
        tables = self._pandas(
            "modes", "impulse_responses", "variance_decomposition", "target_effects", "loadings", "path",
            "latent_errors",
        )  # fmt: skip
        if self._fitted is not None and len(self._path):
            tables["path"] = self._path.assign(fitted=self._fitted)
        tables["latent_errors"] = self._errors.assign(level=self.level)
        about = {
            "kind": self.kind, "shocks": self.shocks, "order": ", ".join(self.latents[k] for k in self.order),
            "n_windows": self.n_windows, "in_sample": self.in_sample, "level": self.level,
            "latents": len(self.latents), "targets": len(self.targets), "columns": len(self.columns),
        }  # fmt: skip
        return {**tables, "latent_about": pd.DataFrame([about])}

    def frames(self) -> dict[str, Frame]:
        """The same tables, of the kind (pandas or polars) that the panel was made from."""
        return {name: self._frame(table) for name, table in self.tables().items()}

    def modes(self) -> Frame:
        """One row per eigenvalue, largest modulus first; see :func:`foretide.explain.latent.modes.mode_table`."""
        return self._frame(mode_table(self.eigenvalues))

    def impulse_responses(self) -> Frame:
        """Columns ``kind`` (state or target), ``name, shock, step, response, relative``.

        ``step`` 0 is that of the shock, the first step ahead. ``relative`` is a share of the mean forecast (targets).
        """
        base = np.where(self.forecast > 0, self.forecast, np.nan)[:, :, None]
        nothing = np.full(self.responses.shape, np.nan)
        return self._tidy({
            "response": (self.responses, self.target_responses), "relative": (nothing, self.target_responses / base)
        }, first=0)  # fmt: skip

    def variance_decomposition(self) -> Frame:
        """Columns ``kind, name, shock, h_step, share`` of the variance of the error ``h_step`` ahead.

        For a target it is the part of the variance that the latent state causes, in a linear approximation; noise of
        the counts comes on top.
        """
        shares = variance_shares(self.responses), variance_shares(self.target_responses)
        return self._tidy({"share": shares}, first=1, step="h_step")

    def target_effects(self) -> Frame:
        """One row per target, most moved first: ``target, size, relative, step``.

        ``size`` is the root of the summed squared responses to all shocks at the ``step`` (from 0) where its share
        ``relative`` of the mean forecast is largest. For uncorrelated shocks it depends on their order and on the basis
        only as far as the forecasts are not linear in the state.
        """
        size = np.sqrt((self.target_responses**2).sum(axis=2))
        share = np.where(self.forecast > 0, size / np.where(self.forecast > 0, self.forecast, 1.0), 0.0)
        step = share.argmax(axis=0)
        columns = np.arange(len(self.targets))
        table = pd.DataFrame({
            "target": list(self.targets), "size": size[step, columns], "relative": share[step, columns], "step": step,
        })  # fmt: skip
        return self._frame(table.sort_values("relative", ascending=False, kind="stable", ignore_index=True))

    def loadings(self) -> Frame:
        """Columns ``column, latent, jacobian, correlation``."""
        c, k = self.jacobian.shape
        return self._frame(pd.DataFrame({
            "column": np.repeat(list(self.columns), k), "latent": list(self.latents) * c,
            "jacobian": self.jacobian.reshape(-1), "correlation": self.correlation.reshape(-1),
        }))  # fmt: skip

    def path(self) -> Frame:
        """Columns: id, time and one per latent, for every row whose covariates are known."""
        return self._frame(self._path)

    def latent_errors(self) -> Frame:
        """One row per step ahead: ``h_step, n, mse, persistence, skill, difference, low, high, p_value, p_holm``.

        Mean squared error of the rolled-out state and of the last state kept, in standard units, the mean over latents;
        their ``difference`` (negative where the rollout is better) with an interval robust to overlapping windows, and
        p-values, also corrected for the number of steps (Holm). NaN where there are too few cutoffs for a test.
        """
        return self._frame(self._errors)

    # ---------------------------------------------------------------- words
    def sentences(self) -> list[str]:
        """What the figures say, in plain words; thresholds are those of :mod:`foretide.explain.latent.words`."""
        return latent_sentences(self, self._pandas("target_effects")["target_effects"], self._errors, INVARIANT)

    def __repr__(self) -> str:
        state = "stable" if self.stable else "NOT stable"
        return (
            f"DynamicsSummary({self.model}: {len(self.latents)} latents, {len(self.eigenvalues)} eigenvalues, largest "
            f"modulus {self.spectral_radius:.3f} ({state}), {self.n_windows} windows)"
        )

    # ---------------------------------------------------------------- inside
    def _tidy(self, values: dict[str, tuple[Floats, Floats]], *, first: int, step: str = "step") -> Frame:
        """State and target arrays ``[H, V, J]`` under one another, a row per name, shock and step."""
        parts = []
        for which, (kind, names) in enumerate((("state", self.latents), ("target", self.targets))):
            v, j = len(names), len(self.latents)
            columns: dict[str, str | Array] = {
                "kind": kind, "name": np.repeat(list(names), j * self.h),
                "shock": np.tile(np.repeat(list(self.latents), self.h), v),
                step: np.tile(np.arange(first, first + self.h), v * j),
            }  # fmt: skip
            columns |= {name: np.moveaxis(arrays[which], 0, 2).reshape(-1) for name, arrays in values.items()}
            parts.append(pd.DataFrame(columns))
        return self._frame(pd.concat(parts, ignore_index=True))


def dynamics(
    lavar: LAVAR,
    panel: Panel | Frame,
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
    panel : Panel, pandas or polars data frame
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

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, n_targets=2, n_covariates=2, seed=1).panel
    >>> model = ft.LAVAR(h=2, order=1, latent=1, epochs=0, head_epochs=0).fit(panel)
    >>> ft.explain.dynamics(model, panel).stable
    True
    """
    panel = panel_for(lavar, panel)
    if not 0 < level < 100:
        raise ConfigError(f"level is in percent, between 0 and 100; got {level!r}. Type level=95.")
    return DynamicsSummary.of(lavar.name, Reading.of(lavar, panel, cutoffs), panel, shocks, order, level)
