# Every adapter of a foreign model, listed once: public as ft.adapters.<name>, and by its name in configurations.
from .chronos import Chronos as Chronos
from .fracast import Fracast as Fracast
from .neural_forecast import NeuralForecast as NeuralForecast
from .scikit_learn import Sklearn as Sklearn
