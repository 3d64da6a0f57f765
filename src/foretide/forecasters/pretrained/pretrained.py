"""Two small networks that were trained on synthetic series, as they are."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.counts import count_like
from foretide.data.time.seasons import main_season
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.pretrained.features import FEWEST, LEVELS, seen
from foretide.forecasters.pretrained.network import weighed
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.history import by_entity
from foretide.heads.quantile_function import mean_weights, quantile_weights
from foretide.training.saved import prefixed, under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.forecasters.sizes import Sizes, SpaceEntry
    from foretide.typing import Array, Bools, Floats, Ints, Json

FILE = "weights.safetensors"
LONGEST = 512
"""Rows of a window at most."""
_CELLS, _POINTS = 30_000, 4_000
"""Rows times windows that are filtered at a time, and windows times steps."""


class Pretrained(Forecaster):
    """Two small networks trained on synthetic series only, which forecast any series without being fitted to it.

    Forty-four exponential smoothing filters with fixed parameters (levels, damped and lasting trends, seasons, lines
    through the whole past; on values and on logarithms) run over the last 512 rows of a series. Each network sees how
    they did in that past and at which step, what they forecast, and what the series is like; it answers with a weight
    for each of them and with quantiles around their weighted mean, or with quantiles of the newest values where these
    are the better guess. The forecast is the mean of both networks' quantiles; those of counts are whole. It knows
    nothing of other series, of known-future columns and of the calendar but the length of the season, and runs without
    PyTorch.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    alias : str, optional
        Name in frames and tables.

    Notes
    -----
    Weights for a set of forecasts that a learner finds from features of the series are those of FFORMA
    (Montero-Manso et al. 2020), here learned by the loss of the quantiles, on synthetic series. How it was trained:
    ``benchmarks/pretrain.py``.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Pretrained(h=24).fit(panel).predict(panel, levels=80)
    Forecast(Pretrained: 1 origins x 24 steps x 1 targets, levels [80.0])
    """

    has_distribution = True
    pretrained = True
    past_origins = 8
    learned: ClassVar[tuple[str, ...]] = ("season_", "counts_")
    chosen: ClassVar[Mapping[str, str]] = {"season": "season_"}

    def __init__(self, h: int, season: int | None = None, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.season = check_count("season", season)
        self.season_ = season or 1
        self.counts_: Bools = np.zeros(0, dtype=bool)
        self._weights: Mapping[str, Array] = {}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """The seasons of the frequency; nothing where there is at most one."""
        fitting = [season for season in at.seasons if 2 * season <= at.rows]
        return {"season": fitting} if len(fitting) > 1 else {}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return FEWEST

    def _fit(self, part: FitPart) -> None:
        self.season_ = int(main_season(part.train, self.season))
        self.counts_ = count_like(part.train)
        self._weights = shipped()

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        found = np.full((len(windows) * panel.n_targets, self.h, len(LEVELS)), np.nan)
        for rows, values in _blocks(panel, windows):
            found[rows] = self._ahead(values)
        shape = (len(windows), panel.n_targets, self.h)
        mean, bounds = found @ mean_weights(LEVELS), found @ quantile_weights(LEVELS, np.array(quantiles)).T
        mean = mean.reshape(shape).swapaxes(1, 2)
        bounds = bounds.reshape(*shape, -1).swapaxes(1, 2)
        bounds = np.where(self.counts_[:, None], np.round(bounds), bounds)
        return Prediction(mean, np.sort(bounds, axis=-1) if quantiles else None)

    def _ahead(self, values: Floats) -> Floats:
        """Quantiles ``[B, H, Q]`` of what follows windows ``[T, B]``."""
        steps = np.arange(1, self.h + 1)
        parts = [
            weighed(self._weights, seen(values[:, some], self.season_, steps))
            for some in np.array_split(np.arange(values.shape[1]), -(-values.shape[1] * self.h // _POINTS))
        ]
        return np.concatenate(parts)

    def state(self) -> dict[str, Array]:
        """The weights of the networks, so that a saved model stays what it is."""
        return {**super().state(), **prefixed("network.", self._weights)}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        super().restore(state, facts)
        self._weights = under("network.", state)


@cache
def shipped() -> Mapping[str, Array]:
    """Weights of the networks that come with the package.

    Returns
    -------
    mapping
        Name -> array, as :func:`foretide.forecasters.pretrained.network.weighed` takes them.

    Examples
    --------
    >>> shipped()["0.prior"].shape
    (44,)
    """
    from safetensors.numpy import load

    return load(resources.files(__package__).joinpath(FILE).read_bytes())


def _blocks(panel: Panel, windows: Windows) -> list[tuple[Ints, Floats]]:
    """Return windows of about one length side by side ``[T, B]``, right aligned, and their places ``[B]``.

    A place counts windows times targets; windows in which too little is known are left out.
    """
    pieces: list[Floats] = []
    rows: list[int] = []
    d = panel.n_targets
    for entity, chosen in by_entity(windows):
        table = np.asarray(panel.rows(entity)[:, :d], dtype=np.float64)
        for at in chosen:
            cutoff = int(windows.cutoff[at])
            window = table[max(0, cutoff + 1 - LONGEST) : cutoff + 1]
            known = ~np.isnan(window)
            for target in np.flatnonzero(known.any(axis=0)):
                pieces.append(window[known[:, target].argmax() :, target])
                rows.append(int(at) * d + int(target))
    order = np.argsort([len(piece) for piece in pieces], kind="stable")
    found = []
    while len(order):
        n = max(1, min(len(order), _CELLS // len(pieces[order[0]])))
        n = max(1, min(n, _CELLS // len(pieces[order[n - 1]])))
        values = np.full((len(pieces[order[n - 1]]), n), np.nan)
        for column, i in enumerate(order[:n]):
            values[len(values) - len(pieces[i]) :, column] = pieces[i]
        found.append((np.array([rows[i] for i in order[:n]]), values))
        order = order[n:]
    return found
