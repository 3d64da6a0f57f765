# ruff: noqa: I001
# Every forecaster, listed once: to add one, write its file and its line here. The order is that of tables and messages;
# what else is known of a forecaster, it says itself by class attributes (see declared.py).
from .simple.baselines import Persistence as Persistence
from .simple.baselines import SeasonalNaive as SeasonalNaive
from .simple.baselines import WindowMean as WindowMean
from .simple.baselines import SeasonalMean as SeasonalMean
from .simple.baselines import SeasonalES as SeasonalES
from .simple.baselines import Drift as Drift
from .classical.ridge import Ridge as Ridge
from .classical.linear import Linear as Linear
from .simple.calendar_es import CalendarES as CalendarES
from .simple.calendar_es import CalendarMean as CalendarMean
from .simple.analogues import Analogues as Analogues
from .simple.intermittent import Croston as Croston
from .simple.intermittent import SBA as SBA
from .simple.intermittent import TSB as TSB
from .simple.intermittent import ADIDA as ADIDA
from .simple.intermittent import IMAPA as IMAPA
from .classical.arima import ARIMA as ARIMA
from .classical.var import VAR as VAR
from .classical.stats import Stats as Stats
from .pretrained.pretrained import Pretrained as Pretrained
from .boosting.boosting import Boosting as Boosting
from .networks.lstm import LSTM as LSTM
from .networks.attention import Attention as Attention
from .lavar.lavar import LAVAR as LAVAR
from .networks.plain import PlainLSTM as PlainLSTM
from .networks.plain import PlainAttention as PlainAttention
from .lavar.plain import PlainLAVAR as PlainLAVAR
from .wrappers.ensemble import Ensemble as Ensemble
from .wrappers.per_entity import PerEntity as PerEntity
from .wrappers.intervals import WithIntervals as WithIntervals
from .wrappers.conformal import Conformal as Conformal
from .auto.auto import Auto as Auto
