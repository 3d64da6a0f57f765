# The public names, each listed once: type checkers read this file, and so does __init__.py. A forecaster is listed in
# forecasters/__init__.pyi.
from . import errors as errors
from . import explain as explain
from . import interop as interop
from .data import synthetic as synthetic
from .data.panel import Panel as Panel
from .data.splits import Split as Split
from .data.splits import split as split
from .data.splits import split_at as split_at
from .data.time.calendar import Calendar as Calendar
from .evaluation.cards.scorecard import Scorecard as Scorecard
from .evaluation.leaks.check import check_leaks as check_leaks
from .evaluation.rolling.backtest import backtest as backtest
from .evaluation.score import score as score
from .forecasters import *  # noqa: F403
from .forecasters import adapters as adapters
from .forecasters.artifact import load as load
from .forecasters.forecast import Forecast as Forecast
from .forecasters.parts import write_forecasts as write_forecasts
from .forecasters.wrappers.per_entity import fit_each as fit_each
from .jobs import run as run
from .jobs.forecasting import forecast as forecast
from .jobs.monitoring import monitor as monitor
from .serving.client import Client as Client
from .tuning.tune import tune as tune

__version__: str
