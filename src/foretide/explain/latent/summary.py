"""What the latent state of a LAVAR says, as tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.explain.latent.modes import Complexes, mode_table, variance_shares
from foretide.explain.latent.words import latent_sentences
from foretide.explain.summary import Summary
from foretide.typing import Array, Bools, Floats

if TYPE_CHECKING:
    from foretide.typing import Frame

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
        path = self._path if self._fitted is None or self._path.empty else self._path.assign(fitted=self._fitted)
        about = {
            "kind": self.kind, "shocks": self.shocks, "order": ", ".join(self.latents[k] for k in self.order),
            "n_windows": self.n_windows, "in_sample": self.in_sample, "level": self.level,
            "latents": len(self.latents), "targets": len(self.targets), "columns": len(self.columns),
        }  # fmt: skip
        return {
            "modes": mode_table(self.eigenvalues), "impulse_responses": self._impulse_responses(),
            "variance_decomposition": self._variance_decomposition(), "target_effects": self._target_effects(),
            "loadings": self._loadings(), "path": path, "latent_errors": self._errors.assign(level=self.level),
            "latent_about": pd.DataFrame([about]),
        }  # fmt: skip

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
        return self._frame(self._impulse_responses())

    def variance_decomposition(self) -> Frame:
        """Columns ``kind, name, shock, h_step, share`` of the variance of the error ``h_step`` ahead.

        For a target it is the part of the variance that the latent state causes, in a linear approximation; noise of
        the counts comes on top.
        """
        return self._frame(self._variance_decomposition())

    def target_effects(self) -> Frame:
        """One row per target, most moved first: ``target, size, relative, step``.

        ``size`` is the root of the summed squared responses to all shocks at the ``step`` (from 0) where its share
        ``relative`` of the mean forecast is largest. For uncorrelated shocks it depends on their order and on the basis
        only as far as the forecasts are not linear in the state.
        """
        return self._frame(self._target_effects())

    def loadings(self) -> Frame:
        """Columns ``column, latent, jacobian, correlation``."""
        return self._frame(self._loadings())

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
        return latent_sentences(self, self._target_effects(), self._errors, INVARIANT)

    def __repr__(self) -> str:
        state = "stable" if self.stable else "NOT stable"
        return (
            f"DynamicsSummary({self.model}: {len(self.latents)} latents, {len(self.eigenvalues)} eigenvalues, largest "
            f"modulus {self.spectral_radius:.3f} ({state}), {self.n_windows} windows)"
        )

    # ---------------------------------------------------------------- inside
    def _impulse_responses(self) -> pd.DataFrame:
        base = np.where(self.forecast > 0, self.forecast, np.nan)[:, :, None]
        nothing = np.full(self.responses.shape, np.nan)
        return self._tidy({
            "response": (self.responses, self.target_responses), "relative": (nothing, self.target_responses / base)
        }, first=0)  # fmt: skip

    def _variance_decomposition(self) -> pd.DataFrame:
        shares = variance_shares(self.responses), variance_shares(self.target_responses)
        return self._tidy({"share": shares}, first=1, step="h_step")

    def _target_effects(self) -> pd.DataFrame:
        size = np.sqrt((self.target_responses**2).sum(axis=2))
        share = np.where(self.forecast > 0, size / np.where(self.forecast > 0, self.forecast, 1.0), 0.0)
        step = share.argmax(axis=0)
        columns = np.arange(len(self.targets))
        table = pd.DataFrame({
            "target": list(self.targets), "size": size[step, columns], "relative": share[step, columns], "step": step,
        })  # fmt: skip
        return table.sort_values("relative", ascending=False, kind="stable", ignore_index=True)

    def _loadings(self) -> pd.DataFrame:
        c, k = self.jacobian.shape
        return pd.DataFrame({
            "column": np.repeat(list(self.columns), k), "latent": list(self.latents) * c,
            "jacobian": self.jacobian.reshape(-1), "correlation": self.correlation.reshape(-1),
        })  # fmt: skip

    def _tidy(self, values: dict[str, tuple[Floats, Floats]], *, first: int, step: str = "step") -> pd.DataFrame:
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
        return pd.concat(parts, ignore_index=True)
