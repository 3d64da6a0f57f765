"""foretide forecasts many related series and shows why.

The public page: a dozen names, resolved on first use, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from foretide.errors import nearest

if TYPE_CHECKING:
    from foretide import errors as errors
    from foretide import explain as explain
    from foretide.data import synthetic as synthetic
    from foretide.data.panel import Panel as Panel
    from foretide.data.splits import Split as Split
    from foretide.data.splits import split as split
    from foretide.data.splits import split_at as split_at
    from foretide.data.time.calendar import Calendar as Calendar
    from foretide.evaluation.cards.scorecard import Scorecard as Scorecard
    from foretide.evaluation.leaks.check import check_leaks as check_leaks
    from foretide.evaluation.rolling.backtest import backtest as backtest
    from foretide.evaluation.score import score as score
    from foretide.forecasters.artifact import load as load
    from foretide.forecasters.classical.ridge import Ridge as Ridge
    from foretide.forecasters.classical.statistical import ARIMA as ARIMA
    from foretide.forecasters.classical.statistical import VAR as VAR
    from foretide.forecasters.classical.statistical import Stats as Stats
    from foretide.forecasters.forecast import Forecast as Forecast
    from foretide.forecasters.lavar.lavar import LAVAR as LAVAR
    from foretide.forecasters.networks.attention import Attention as Attention
    from foretide.forecasters.networks.lstm import LSTM as LSTM
    from foretide.forecasters.simple.baselines import Drift as Drift
    from foretide.forecasters.simple.baselines import Persistence as Persistence
    from foretide.forecasters.simple.baselines import SeasonalES as SeasonalES
    from foretide.forecasters.simple.baselines import SeasonalMean as SeasonalMean
    from foretide.forecasters.simple.baselines import SeasonalNaive as SeasonalNaive
    from foretide.forecasters.simple.baselines import WindowMean as WindowMean
    from foretide.forecasters.simple.calendar_es import CalendarES as CalendarES
    from foretide.forecasters.simple.calendar_es import CalendarMean as CalendarMean
    from foretide.forecasters.simple.intermittent import ADIDA as ADIDA
    from foretide.forecasters.simple.intermittent import IMAPA as IMAPA
    from foretide.forecasters.simple.intermittent import SBA as SBA
    from foretide.forecasters.simple.intermittent import TSB as TSB
    from foretide.forecasters.simple.intermittent import Croston as Croston
    from foretide.forecasters.wrappers.conformal import Conformal as Conformal
    from foretide.forecasters.wrappers.ensemble import Ensemble as Ensemble
    from foretide.forecasters.wrappers.intervals import WithIntervals as WithIntervals
    from foretide.forecasters.wrappers.per_entity import PerEntity as PerEntity
    from foretide.forecasters.wrappers.per_entity import fit_each as fit_each
    from foretide.jobs import run as run
    from foretide.tuning.tune import tune as tune

__version__ = "0.1.0"

_WHERE: dict[str, str] = {
    "Panel": "foretide.data.panel",
    "Calendar": "foretide.data.time.calendar",
    "Split": "foretide.data.splits",
    "split": "foretide.data.splits",
    "split_at": "foretide.data.splits",
    "synthetic": "foretide.data.synthetic:",
    "Attention": "foretide.forecasters.networks.attention",
    "LSTM": "foretide.forecasters.networks.lstm",
    "LAVAR": "foretide.forecasters.lavar.lavar",
    "CalendarES": "foretide.forecasters.simple.calendar_es",
    "CalendarMean": "foretide.forecasters.simple.calendar_es",
    "Ridge": "foretide.forecasters.classical.ridge",
    "Persistence": "foretide.forecasters.simple.baselines",
    "SeasonalNaive": "foretide.forecasters.simple.baselines",
    "WindowMean": "foretide.forecasters.simple.baselines",
    "SeasonalMean": "foretide.forecasters.simple.baselines",
    "SeasonalES": "foretide.forecasters.simple.baselines",
    "Drift": "foretide.forecasters.simple.baselines",
    "ARIMA": "foretide.forecasters.classical.statistical",
    "VAR": "foretide.forecasters.classical.statistical",
    "Stats": "foretide.forecasters.classical.statistical",
    "Ensemble": "foretide.forecasters.wrappers.ensemble",
    "PerEntity": "foretide.forecasters.wrappers.per_entity",
    "fit_each": "foretide.forecasters.wrappers.per_entity",
    "WithIntervals": "foretide.forecasters.wrappers.intervals",
    "Conformal": "foretide.forecasters.wrappers.conformal",
    "Croston": "foretide.forecasters.simple.intermittent",
    "SBA": "foretide.forecasters.simple.intermittent",
    "TSB": "foretide.forecasters.simple.intermittent",
    "ADIDA": "foretide.forecasters.simple.intermittent",
    "IMAPA": "foretide.forecasters.simple.intermittent",
    "Forecast": "foretide.forecasters.forecast",
    "load": "foretide.forecasters.artifact",
    "score": "foretide.evaluation.score",
    "backtest": "foretide.evaluation.rolling.backtest",
    "Scorecard": "foretide.evaluation.cards.scorecard",
    "check_leaks": "foretide.evaluation.leaks.check",
    "tune": "foretide.tuning.tune",
    "explain": "foretide.explain:",
    "run": "foretide.jobs",
    "errors": "foretide.errors:",
}
"""Public name -> the module it lives in; a colon at the end means the module itself."""

__all__ = [*_WHERE, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"foretide has no {name!r}. {nearest(name, _WHERE)}")
    module, whole, _ = _WHERE[name].partition(":")
    found = importlib.import_module(module)
    value = found if whole else getattr(found, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
