"""The default search space of every forecaster, in a table.

Sizes and rates are those of the specification (sequence models, section 7); what was added to them was measured on
generator seeds that no benchmark is judged by (``docs/decisions.md``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foretide.tuning.space import Choice, Float, Space, options_near

LEARNING_RATES = Float(1e-4, 1e-2, log=True)
SHARES = Float(0.01, 0.95, log=True)
CYCLES = Choice((2, 3, 4, 6, 8, 16))
USUAL_LOOKBACK = 60
"""The networks' and the ridge's own default."""
MOST_LOOKBACK = 250
"""Longer ones cost more time than they were worth."""


@dataclass(frozen=True)
class Setting:
    """What a default space may depend on, all of it known before the first inner cutoff.

    Attributes
    ----------
    rows : int
        Steps to fit on, of a typical series.
    h : int
        Horizon.
    seasons : tuple of int
        Season lengths in steps, shortest first.
    """

    rows: int
    h: int
    seasons: tuple[int, ...]

    def lookbacks(self) -> Choice:
        """Lookbacks: whole seasons, at most a quarter of the steps to fit on, and the usual one up to a third.

        Two to four of the shortest season, one or two of the next. On the hourly generator one day was worse than all
        longer ones on every seed, two weeks no better than one at several times the cost.
        """
        most = max(2, self.rows // 4)
        sizes = [times * self.seasons[0] for times in (2, 3, 4)] if self.seasons else [self.h, 2 * self.h, 4 * self.h]
        sizes += [times * self.seasons[1] for times in (1, 2)] if len(self.seasons) > 1 else []
        found = options_near(sizes, max(2, min(self.h, most)), min(most, MOST_LOOKBACK))
        usual = (USUAL_LOOKBACK,) if self.rows // 3 >= USUAL_LOOKBACK else ()
        return Choice(tuple(sorted({*found, *usual})) or (most,))


def attention(setting: Setting) -> Space:
    """Width, heads and rate of the specification, and the lookback, which mattered most; dropout did nothing."""
    return {
        "hidden": Choice((64, 96, 128, 160)), "heads": Choice((2, 4, 8)), "lr": LEARNING_RATES,
        "input_size": setting.lookbacks(),
    }  # fmt: skip


def lstm(setting: Setting) -> Space:
    """Width, layers and rate of the specification; lookback."""
    return {
        "hidden": Choice((32, 64, 96)), "layers": Choice((1, 2)), "lr": LEARNING_RATES,
        "input_size": setting.lookbacks(),
    }  # fmt: skip


def lavar(setting: Setting) -> Space:
    """Size and memory of the latent state, and the rate of its stage."""
    return {
        "latent": Choice((2, 4, 8, 12)), "order": Choice(options_near((3, 7, 14), 1, max(3, setting.rows // 4))),
        "lr": Float(3e-4, 3e-3, log=True),
    }  # fmt: skip


def ridge(setting: Setting) -> Space:
    """Lookback, which lags enter, and the level taken off."""
    return {
        "input_size": setting.lookbacks(), "channels": Choice(("all", "own", "shared")),
        "level": Choice(("auto", "last", "mean", "none")),
    }  # fmt: skip


def window_mean(setting: Setting) -> Space:
    """Windows around horizon and season."""
    bases = [setting.h, *setting.seasons]
    return {"window": Choice(options_near([*bases, *(2 * b for b in bases), *(4 * b for b in bases)], 1, setting.rows))}


def seasonal_naive(setting: Setting) -> Space:
    """The seasons of the frequency; nothing where there is at most one."""
    fitting = tuple(s for s in setting.seasons if 2 * s <= setting.rows)
    return {"season": Choice(fitting)} if len(fitting) > 1 else {}


def arima(setting: Setting) -> Space:
    """Orders ``(p, d, q)`` in common use."""
    orders = ((5, 1, 0), (1, 0, 0), (2, 0, 0), (3, 0, 1), (0, 1, 1), (1, 1, 1), (2, 1, 2))
    return {"order": Choice(orders)}


SPACES: dict[str, Callable[[Setting], Space]] = {
    "Attention": attention,
    "LSTM": lstm,
    "LAVAR": lavar,
    "Ridge": ridge,
    "WindowMean": window_mean,
    "SeasonalNaive": seasonal_naive,
    "SeasonalMean": lambda _: {"cycles": CYCLES},
    "SeasonalES": lambda _: {"alpha": SHARES},
    "CalendarMean": lambda _: {"cycles": CYCLES},
    "CalendarES": lambda _: {"alpha": SHARES},
    "TSB": lambda _: {"alpha_d": SHARES, "alpha_p": SHARES},
    "ARIMA": arima,
    "VAR": lambda setting: {"max_order": Choice(options_near((4, 8, 12, 24, 48), 1, max(4, setting.rows // 10)))},
}
"""Forecaster -> its default space; the others have no settings worth a search, and get one trial."""
