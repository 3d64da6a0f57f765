"""A scorecard drawn: errors, calibration, and forecasts beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pandas as pd

from foretide.data.drawn import AT_ONCE, IN_LIST
from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.calibration import Calibration
from foretide.evaluation.cards.drawn import fold_picture, reliability_of, step_picture
from foretide.evaluation.cards.look import CardLook
from foretide.forecasters.drawn import forecast_picture
from foretide.forecasters.forecast import Forecast
from foretide.pictures.picture import Picture
from foretide.pictures.show import show

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.pictures.show import Drawing

FORECASTS = "forecasts"


@dataclass(frozen=True, eq=False)
class Plots(Calibration):
    """The pictures of a scorecard; the data are those of :class:`foretide.evaluation.cards.figures.Figures`.

    Attributes
    ----------
    panel, windows, truth, forecasts, baselines, scale, notes, distributions, rates, counts, unused
        As of :class:`foretide.evaluation.cards.figures.Figures`.
    """

    def plot(
        self, kind: str | None = None, series: str | Iterable[str] | None = None, *, interactive: bool = False
    ) -> Drawing:
        """Draw how good the models are, or their forecasts beside the truth.

        Parameters
        ----------
        kind : {"steps", "folds", "calibration", "forecasts"}, optional
            Error by horizon step; error by fold; share of truths below each quantile; the last forecasts of the best
            model and of the best baseline beside the truth. By default the first three, as far as the card has them,
            or else the forecasts.
        series : str, or iterable of str, optional
            Of the forecasts: names of series; by default up to six, from the most typical to the least.
        interactive : bool
            Whether to return a plotly figure, with a list where there are several pictures.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure

        Raises
        ------
        ConfigError
            For another kind, for one that the card has nothing for, and for ``series`` with other kinds.
        MissingExtraError
            For ``interactive=True`` without the package plotly.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> card = ft.backtest(ft.SeasonalMean(h=4), data.panel, n_windows=8, step=5, season=24)
        >>> [axes.get_title(loc="left") for axes in card.plot().axes]
        ['Error by horizon step', 'Error by fold', 'Reliability of the quantiles']
        """
        kinds = (*KINDS, FORECASTS)
        if kind is not None and kind not in kinds:
            raise ConfigError(f"A scorecard draws {', '.join(kinds)}, not {kind!r}. {nearest(str(kind), kinds)}")
        if series is not None and kind != FORECASTS:
            raise ConfigError(f"series chooses among the forecasts. Type: card.plot({FORECASTS!r}, series=...)")
        look = CardLook(cast("Scorecard", self))
        made = [make(look) for name, make in KINDS.items() if kind in (None, name)]
        pictures = [picture for picture in made if picture is not None]
        if kind == FORECASTS or (kind is None and not pictures):
            return show(beside_truth(look, series, IN_LIST if interactive else AT_ONCE), interactive=interactive)
        if not pictures:
            raise ConfigError(f"There is nothing to draw for {kind!r}: {LACKING[kind or '']}.")
        views = {
            one.title: replace(one.first, panels=[replace(p, title=one.title) for p in one.first.panels])
            for one in pictures
        }
        return show(Picture.with_list("card", "", "Picture", views), interactive=interactive)


def _steps(look: CardLook) -> Picture | None:
    return step_picture(look, look.card.frame_of(look.card.main, "h_step"))


def _folds(look: CardLook) -> Picture | None:
    return fold_picture(look, look.card.frame_of(look.card.main, "cutoff"))


def _calibration(look: CardLook) -> Picture | None:
    models = [m for m in look.ranked if m in look.card.distributions.quantiles]
    if not models:
        return None
    table = pd.concat([look.card.pandas(look.card.reliability(m)).assign(model=m) for m in models])
    visible = look.stands_out(models)
    return reliability_of(look, table, models, visible[:1] if look.counts else visible)  # bars of counts are wide


KINDS: dict[str, Callable[[CardLook], Picture | None]] = {"steps": _steps, "folds": _folds, "calibration": _calibration}
LACKING = {
    "steps": "the forecasts are one step long", "folds": "there is one cutoff",
    "calibration": "no model has quantiles; ask for them, as by ft.backtest(..., levels=(80, 95))",
}  # fmt: skip


def beside_truth(look: CardLook, series: object = None, most: int = AT_ONCE) -> Picture:
    """Return the last forecasts of the best model and the best baseline, with the intervals of one that has them.

    Parameters
    ----------
    look : CardLook
    series : str, or iterable of str, optional
        As of :func:`foretide.data.typical.chosen_series`.
    most : int
        Series where none are named.

    Returns
    -------
    Picture
    """
    card, held = look.card, look.card.distributions
    bounded = [m for m in look.ranked if m in held.quantiles]
    drawn = dict.fromkeys([*look.shown[:1], *look.baselines[:1], *(look.stands_out(bounded)[:1] if bounded else ())])
    forecasts = []
    for model in drawn:
        own = held.quantiles.get(model)
        levels = tuple(v for v in held.levels if own is not None and own.holds((0.5 - v / 200, 0.5 + v / 200)))
        forecasts.append(Forecast(
            model, card.panel, card.windows, card.forecasts[model], levels, own.levels if own else (),
            own.values if own else None,
        ))  # fmt: skip
    styles = {m: (look.colour(m), look.dash(m)) for m in drawn}
    return forecast_picture(forecasts, series, most=most, truth=card.truth, styles=styles)
