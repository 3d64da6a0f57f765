"""The base as it is made by default: all recipes, the panel's seasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretide.data.time.seasons import main_season, seasons_of
from foretide.forecasters.lavar.recipes import standard_recipes
from foretide.forecasters.lavar.seasonal_base import SeasonalBase

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.time.calendar import Calendar


def standard_base(
    panel: Panel, h: int, seasons: Sequence[float] | None = None, *, kind: str = "auto",
    calendar: Calendar | str | None = None, prior: SeasonalBase | None = None,
) -> SeasonalBase:  # fmt: skip
    """Fit a base to all of a panel.

    Parameters
    ----------
    panel : Panel
        The part to learn from.
    h : int
        Steps ahead that recipes are judged over.
    seasons : sequence of float, optional
        In steps; those of the frequency by default. Only such that the longest series holds twice are used.
    kind : str
        The kind of recipe; "auto": all of them.
    calendar : Calendar, str or None
        One with public holidays brings these as events; a name ("auto") brings none.
    prior : SeasonalBase, optional
        See :meth:`SeasonalBase.fit`.

    Returns
    -------
    SeasonalBase
    """
    longest = int(panel.observed.max()) // 2
    known = tuple(int(s) for s in (seasons_of(panel.grid.freq) if seasons is None else seasons) if 1 < s <= longest)
    season = int(main_season(panel)) if seasons is None else max(known, default=1)
    recipes = standard_recipes(known, None if kind == "auto" else (kind,))
    events = None if isinstance(calendar, str) else calendar
    return SeasonalBase.fit(panel, h, recipes, season, calendar=events, prior=prior)
