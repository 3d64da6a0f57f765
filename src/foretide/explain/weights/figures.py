"""Figures of attention weights, from their sums; no model needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, nearest
from foretide.explain.weights.profiles import distances, divergence, entropy_of, kinds, mass_by_distance
from foretide.explain.weights.stream import Sums
from foretide.typing import Array, Bools, Floats

AXES = ("lag", "distance")
PER = (None, "h_step", "head")


@dataclass(frozen=True, eq=False)
class HeadProfiles:
    """What each head looks at.

    Attributes
    ----------
    profile : float array ``[M, L]``
        Mean weight by lag, oldest first; each row sums to one.
    table : DataFrame
        One row a head (counted from 1): shares of ``recent``, ``seasonal`` and ``other`` lags, which sum to one;
        ``entropy`` in nats; ``changes``, how far its weights differ from window to window, in bits; ``top_lag``,
        ``top_distance``.
    divergence : float array ``[M, M]``
        Jensen–Shannon divergence between the heads' weights by horizon step and lag, in bits, mean over the steps: 0
        for heads that look at the same lags, 1 for heads that share none.
    """

    profile: Floats
    table: pd.DataFrame
    divergence: Floats


@dataclass(frozen=True, eq=False)
class AttentionFigures:
    """What the attention weights of some windows say on average.

    Lag 0 is the newest step of the lookback. Distance is lag + horizon step: how far back a lag lies from the step that
    is forecast, where a daily copy shows as one column at 24 whatever the step.

    Attributes
    ----------
    sums : Sums
    freq : str or int
        Step of the grid.
    seasons : tuple of int
        Season lengths in steps, shortest first; may be empty.
    name : str
        Name of the model.
    """

    sums: Sums
    freq: str | int
    seasons: tuple[int, ...] = ()
    name: str = "Attention"

    # ---------------------------------------------------------------- sizes
    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(N, M, H, L)``: windows, heads, horizon steps, lags."""
        heads, h, lookback = self.sums.mean.shape
        return self.sums.n, heads, h, lookback

    @property
    def mean_weights(self) -> Floats:
        """Mean weight over the windows, ``[M, H, L]``, oldest lag first."""
        return self.sums.mean

    @property
    def even(self) -> float:
        """The weight that even attention would give every lag, ``1 / L``."""
        return 1.0 / self.shape[3]

    # ---------------------------------------------------------------- where it looks
    def lag_importance(self, by: str = "lag", per: str | None = None) -> pd.DataFrame:
        """Mean weight per lag, or by distance to the forecast step.

        Parameters
        ----------
        by : {"lag", "distance"}
            By distance, a cell is the mean over the horizon steps that can look back so far.
        per : {None, "h_step", "head"}
            Mean over everything, or one profile a horizon step or head (both counted from 1).

        Returns
        -------
        DataFrame
            ``[h_step or head,] lag or distance, weight``, ascending. Weights by lag sum to one in each profile.
        """
        profile = self._profile(by, per)
        first = 0 if by == "lag" else 1
        columns: dict[str, Array] = {}
        if per is not None:
            columns[per] = np.repeat(np.arange(1, len(profile) + 1), profile.shape[1])
        columns[by] = np.tile(np.arange(first, first + profile.shape[1]), len(profile))
        columns["weight"] = profile.reshape(-1)
        return pd.DataFrame(columns).dropna(ignore_index=True)

    def _profile(self, by: str, per: str | None) -> Floats:
        """Profiles ``[groups, lags or distances]``, newest first; NaN at distances that a step cannot look back."""
        if by not in AXES:
            raise ConfigError(f"by is 'lag' or 'distance', got {by!r}. {nearest(by, AXES)}")
        if per not in PER:
            raise ConfigError(f"per is None, 'h_step' or 'head', got {per!r}. {nearest(str(per), PER[1:])}")
        _, _, h, lookback = self.shape
        mean = self.sums.mean
        if by == "lag":
            axes: dict[str | None, tuple[int, ...]] = {None: (0, 1), "h_step": (0,), "head": (1,)}
            return np.atleast_2d(mean.mean(axis=axes[per]))[:, ::-1]
        if per == "h_step":
            by_step = np.full((h, lookback + h), np.nan)
            np.put_along_axis(by_step, distances(h, lookback), mean.mean(axis=0), axis=1)
            return by_step[:, 1:]
        mean = mean.mean(axis=0, keepdims=True) if per is None else mean
        return mass_by_distance(mean)[:, 1:]

    def top_lags(self, k: int = 5, by: str = "lag", per: str | None = None) -> pd.DataFrame:
        """Return the ``k`` lags (or distances) with most weight, the largest first; of each horizon step or head.

        Returns
        -------
        DataFrame
            ``[h_step or head,] rank, lag or distance, weight, times_even`` (weight over that of even attention).
        """
        if k < 1:
            raise ConfigError(f"k is a number of lags, at least 1; got {k!r}.")
        frame = self.lag_importance(by, per).sort_values("weight", ascending=False, kind="stable")
        if per is None:
            frame = frame.head(k).assign(rank=range(1, min(k, len(frame)) + 1))
        else:
            frame = frame.groupby(per, sort=True).head(k).sort_values(per, kind="stable")
            frame["rank"] = frame.groupby(per).cumcount() + 1
        frame["times_even"] = frame["weight"] / self.even
        return frame[[*([per] if per else []), "rank", by, "weight", "times_even"]].reset_index(drop=True)

    def top1_counts(self) -> pd.DataFrame:
        """How often each lag is the most attended one, per horizon step.

        Returns
        -------
        DataFrame
            ``h_step, lag, count, share``: windows times heads in which the lag leads, and its share; lags that
            never lead are left out.
        """
        n, heads, h, lookback = self.shape
        counts = self.sums.top1.sum(axis=0)[:, ::-1]
        frame = pd.DataFrame({
            "h_step": np.repeat(np.arange(1, h + 1), lookback),
            "lag": np.tile(np.arange(lookback), h),
            "count": counts.reshape(-1),
            "share": counts.reshape(-1) / (n * heads),
        })  # fmt: skip
        return frame[frame["count"] > 0].reset_index(drop=True)

    # ---------------------------------------------------------------- how it looks
    @property
    def between_windows(self) -> float:
        """How far windows differ: Jensen–Shannon divergence of their rows in bits, mean over heads and steps.

        Entropy of the mean row less the mean entropy of the rows; 0 where every window has the same weights.
        """
        return float(max(self.changes.mean(), 0.0))

    @property
    def changes(self) -> Floats:
        """The same of each head and horizon step, ``[M, H]``."""
        return np.asarray((entropy_of(self.sums.mean) - self.sums.entropy) / np.log(2))

    def entropy(self) -> pd.DataFrame:
        """Concentration per head and horizon step.

        Returns
        -------
        DataFrame
            ``head, h_step, entropy, limit, lags``: mean entropy of a window's weights in nats, its limit ``log L``
            for even weights, and ``exp(entropy)``, the number of lags that evenly spread weights would need for it.
        """
        _, heads, h, lookback = self.shape
        flat = self.sums.entropy.reshape(-1)
        return pd.DataFrame({
            "head": np.repeat(np.arange(1, heads + 1), h),
            "h_step": np.tile(np.arange(1, h + 1), heads),
            "entropy": flat,
            "limit": np.log(lookback),
            "lags": np.exp(flat),
        })  # fmt: skip

    @cached_property
    def _kinds(self) -> dict[str, Bools]:
        return kinds(self.shape[2], self.shape[3], self.seasons)

    def head_profiles(self) -> HeadProfiles:
        """What each head looks at, and how far heads differ.

        Seasonal lags lie a whole number of seasons before the forecast step; recent ones are the newest quarter of the
        shortest season (a tenth of the lookback without one) that are not seasonal.
        """
        mean = self.sums.mean
        _, heads, h, _ = self.shape
        profile = mean.mean(axis=1)
        shares = {kind: (mean * cells).sum(axis=(1, 2)) / h for kind, cells in self._kinds.items()}
        table = pd.DataFrame({
            "head": np.arange(1, heads + 1), **shares, "entropy": self.sums.entropy.mean(axis=1),
            "changes": np.maximum(self.changes.mean(axis=1), 0.0),
            "top_lag": profile[:, ::-1].argmax(axis=1), "top_distance": mass_by_distance(mean).argmax(axis=1),
        })  # fmt: skip
        apart = np.mean([divergence(mean[:, step]) for step in range(h)], axis=0)
        return HeadProfiles(profile, table, apart)

    def horizon_dependence(self) -> pd.DataFrame:
        """How the focus moves with the horizon step.

        Returns
        -------
        DataFrame
            ``h_step, recent, seasonal, other, mean_lag, mean_distance, entropy``: shares of the weight, which sum to
            one; mean lag and distance under the weights; mean entropy over heads.
        """
        _, _, h, lookback = self.shape
        mean = self.sums.mean.mean(axis=0)
        lags = np.arange(lookback - 1, -1, -1)
        steps = np.arange(1, h + 1)
        return pd.DataFrame({
            "h_step": steps,
            **{kind: (mean * cells).sum(axis=1) for kind, cells in self._kinds.items()},
            "mean_lag": mean @ lags,
            "mean_distance": mean @ lags + steps,
            "entropy": self.sums.entropy.mean(axis=0),
        })  # fmt: skip
