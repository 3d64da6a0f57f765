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
    from foretide.data.calendar import Calendar as Calendar
    from foretide.data.panel import Panel as Panel
    from foretide.data.splits import Split as Split
    from foretide.data.splits import split as split
    from foretide.data.splits import split_at as split_at
    from foretide.evaluation.backtest import backtest as backtest
    from foretide.evaluation.leaks import check_leaks as check_leaks
    from foretide.evaluation.score import score as score
    from foretide.evaluation.scorecard import Scorecard as Scorecard
    from foretide.forecasters.artifact import load as load
    from foretide.forecasters.attention import Attention as Attention
    from foretide.forecasters.baselines import Drift as Drift
    from foretide.forecasters.baselines import Persistence as Persistence
    from foretide.forecasters.baselines import SeasonalES as SeasonalES
    from foretide.forecasters.baselines import SeasonalMean as SeasonalMean
    from foretide.forecasters.baselines import SeasonalNaive as SeasonalNaive
    from foretide.forecasters.baselines import WindowMean as WindowMean
    from foretide.forecasters.calendar_es import CalendarES as CalendarES
    from foretide.forecasters.calendar_es import CalendarMean as CalendarMean
    from foretide.forecasters.conformal import Conformal as Conformal
    from foretide.forecasters.ensemble import Ensemble as Ensemble
    from foretide.forecasters.forecast import Forecast as Forecast
    from foretide.forecasters.intermittent import ADIDA as ADIDA
    from foretide.forecasters.intermittent import IMAPA as IMAPA
    from foretide.forecasters.intermittent import SBA as SBA
    from foretide.forecasters.intermittent import TSB as TSB
    from foretide.forecasters.intermittent import Croston as Croston
    from foretide.forecasters.intervals import WithIntervals as WithIntervals
    from foretide.forecasters.lavar import LAVAR as LAVAR
    from foretide.forecasters.lstm import LSTM as LSTM
    from foretide.forecasters.per_entity import PerEntity as PerEntity
    from foretide.forecasters.per_entity import fit_each as fit_each
    from foretide.forecasters.ridge import Ridge as Ridge
    from foretide.forecasters.statistical import ARIMA as ARIMA
    from foretide.forecasters.statistical import VAR as VAR
    from foretide.forecasters.statistical import Stats as Stats
    from foretide.pipeline import run as run
    from foretide.tuning.tune import tune as tune

__version__ = "0.1.0"

_WHERE: dict[str, str] = {
    "Panel": "foretide.data.panel",
    "Calendar": "foretide.data.calendar",
    "Split": "foretide.data.splits",
    "split": "foretide.data.splits",
    "split_at": "foretide.data.splits",
    "synthetic": "foretide.data.synthetic:",
    "Attention": "foretide.forecasters.attention",
    "LSTM": "foretide.forecasters.lstm",
    "LAVAR": "foretide.forecasters.lavar",
    "CalendarES": "foretide.forecasters.calendar_es",
    "CalendarMean": "foretide.forecasters.calendar_es",
    "Ridge": "foretide.forecasters.ridge",
    "Persistence": "foretide.forecasters.baselines",
    "SeasonalNaive": "foretide.forecasters.baselines",
    "WindowMean": "foretide.forecasters.baselines",
    "SeasonalMean": "foretide.forecasters.baselines",
    "SeasonalES": "foretide.forecasters.baselines",
    "Drift": "foretide.forecasters.baselines",
    "ARIMA": "foretide.forecasters.statistical",
    "VAR": "foretide.forecasters.statistical",
    "Stats": "foretide.forecasters.statistical",
    "Ensemble": "foretide.forecasters.ensemble",
    "PerEntity": "foretide.forecasters.per_entity",
    "fit_each": "foretide.forecasters.per_entity",
    "WithIntervals": "foretide.forecasters.intervals",
    "Conformal": "foretide.forecasters.conformal",
    "Croston": "foretide.forecasters.intermittent",
    "SBA": "foretide.forecasters.intermittent",
    "TSB": "foretide.forecasters.intermittent",
    "ADIDA": "foretide.forecasters.intermittent",
    "IMAPA": "foretide.forecasters.intermittent",
    "Forecast": "foretide.forecasters.forecast",
    "load": "foretide.forecasters.artifact",
    "score": "foretide.evaluation.score",
    "backtest": "foretide.evaluation.backtest",
    "Scorecard": "foretide.evaluation.scorecard",
    "check_leaks": "foretide.evaluation.leaks",
    "tune": "foretide.tuning.tune",
    "explain": "foretide.explain:",
    "run": "foretide.pipeline",
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
