"""Which forecasters are tried on which kind of data, the quick ones first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from foretide.data.counts import count_like
from foretide.data.time.seasons import main_season, telling
from foretide.errors import MissingExtraError
from foretide.forecasters.classical.stats import Stats
from foretide.forecasters.gaussian import require
from foretide.forecasters.naming import folded
from foretide.forecasters.simple.default_set import made, with_intervals
from foretide.forecasters.wrappers.intervals import WithIntervals

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster

Kind: TypeAlias = Literal["counts", "sparse", "continuous"]
ZEROS = 0.05
"""Values that are no counts, never negative and zero at least so often are sparse."""


@dataclass(frozen=True)
class Usual:
    """A forecaster that is tried unless candidates are given.

    Attributes
    ----------
    name : str
        In the table of forecasters.
    kinds : tuple of str
        Kinds of data it is tried on.
    settings : mapping
        Besides those that all share.
    rows : int
        Rows of a typical series that it takes, beside two horizons.
    in_all : int
        Rows of all series together that it takes.
    most_rows, most_season : float
        Rows of a typical series, and steps of its season, beyond which it takes too long.
    needs : str or None
        A package that it cannot do without and that its class does not name.
    """

    name: str
    kinds: tuple[Kind, ...] = ("counts", "sparse", "continuous")
    settings: Mapping[str, object] = field(default_factory=dict)
    rows: int = 0
    in_all: int = 0
    most_rows: float = np.inf
    most_season: float = np.inf
    needs: str | None = None


_ROUGH: tuple[Kind, ...] = ("counts", "sparse")
_SMOOTH: tuple[Kind, ...] = ("continuous",)
USUAL: tuple[Usual, ...] = (
    Usual("Persistence"),
    Usual("SeasonalNaive"),
    Usual("SeasonalES"),
    Usual("SeasonalMean"),
    Usual("WindowMean"),
    Usual("Drift", _SMOOTH),
    Usual("CalendarES"),
    Usual("TSB", _ROUGH),
    Usual("SBA", _ROUGH),
    Usual("Analogues", rows=3, in_all=100),
    Usual("Linear", rows=60, in_all=100),
    Usual("Pretrained", rows=3),
    Usual("Stats", settings={"model": "AutoCES"}, rows=3, most_rows=500, needs="statsforecast"),
    Usual("Stats", settings={"model": "DynamicOptimizedTheta"}, rows=3, needs="statsforecast"),
    Usual("Boosting", rows=20, in_all=400),
    Usual("LAVAR", rows=20, in_all=300),
    Usual("Stats", _SMOOTH, {"model": "AutoARIMA"}, rows=20, most_rows=500, most_season=12, needs="statsforecast"),
    Usual("Attention", ("continuous", "sparse"), {"head": "student_t"}, rows=60, in_all=1000),
    Usual("Attention", ("counts",), {"head": "nb"}, rows=60, in_all=1000),
)
"""The usual candidates, in the order in which they are tried."""


def kind_of(panel: Panel) -> Kind:
    """Return what kind of values the targets are.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    {"counts", "sparse", "continuous"}
        Whole numbers that are zero now and then, or small (:func:`foretide.data.counts.count_like`); other values that
        are often zero and never below; all others.

    Examples
    --------
    >>> import foretide as ft
    >>> kind_of(ft.synthetic.supplies(T=60, n_targets=4).panel), kind_of(ft.synthetic.hourly(T=60).panel)
    ('counts', 'continuous')
    """
    if count_like(panel).all():
        return "counts"
    values = panel.values[:, : panel.n_targets]
    known = values[~np.isnan(values)]
    return "continuous" if known.min() < 0 or (known == 0).mean() < ZEROS else "sparse"


class Candidates(NamedTuple):
    """What is tried, and what is not.

    Attributes
    ----------
    models : list of Forecaster
        Unfitted, with intervals.
    unfit, missing : dict
        Name -> reason: candidates for other numbers of rows than there are, and those whose package is not installed.
    """

    models: list[Forecaster]
    unfit: dict[str, str]
    missing: dict[str, str]

    def with_starts(self) -> tuple[Candidates, dict[str, str]]:
        """Return the same with the closed-form start of every network before it, and start -> network by name."""
        models: list[Forecaster] = []
        starts: dict[str, str] = {}
        taken = {folded(model.name) for model in self.models}
        for model in self.models:
            start = model.start()
            if start is not None and folded(start.name) not in taken:
                starts[start.name] = model.name
                models.append(with_intervals(start))
                taken.add(folded(start.name))
            models.append(model)
        return self._replace(models=models), starts


def usual_candidates(panel: Panel, h: int, shared: Mapping[str, object]) -> Candidates:
    """Return the forecasters to try on a panel, and why others are left out.

    Parameters
    ----------
    panel : Panel
        The training part.
    h : int
        Steps forecast.
    shared : mapping
        Settings handed to those that know them: ``season``, ``seed``.

    Returns
    -------
    Candidates

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=60, n_series=1).panel
    >>> [model.name for model in usual_candidates(panel, 24, {"season": 24}).models][:2]
    ['Persistence', 'SeasonalNaive']
    """
    rows = panel.observed[telling(panel)]
    kind, typical, total = kind_of(panel), int(np.median(rows)), int(rows.sum())
    given = shared.get("season")
    season = main_season(panel, given if isinstance(given, int) else None)
    found = Candidates([], {}, {})
    for one in USUAL:
        if kind not in one.kinds:
            continue
        shown = str(one.settings.get("model", one.name))
        if (one.rows and typical < one.rows + 2 * h) or total < one.in_all:
            found.unfit[shown] = f"too few rows: {typical} in a typical series, {total} in all"
            continue
        if typical > one.most_rows or season > one.most_season:
            found.unfit[shown] = f"it takes long on {typical} rows with a season of {season}"
            continue
        try:
            if one.needs is not None:
                require(one.needs, shown)
            found.models.append(_for_kind(made(one.name, h, {**shared, **one.settings}), kind))
        except MissingExtraError as error:
            found.missing[shown] = str(error)
    return found


def _for_kind(model: Forecaster, kind: Kind) -> Forecaster:
    """Give a model the predictive distribution that suits the data: counts are no normal distribution's."""
    if kind == "counts" and isinstance(model, Stats) and model.has_distribution:
        return WithIntervals(model, "negative_binomial", alias=model.name)
    return with_intervals(model)
