"""Any model of neuralforecast as a forecaster."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from foretide.data.windows import Windows
from foretide.errors import ConfigError, nearest
from foretide.forecasters.adapters.contexts import carried_forward, contexts_of, known_contexts, level_and_scale
from foretide.forecasters.adapters.zero_shot import between, shares
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.training.saved import put_weights, weights_of

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Ints, Json

DECILES = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
QUIET: Json = {
    "logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False,
    "accelerator": "cpu", "devices": 1, "scaler_type": "standard",
}  # fmt: skip
"""What the models are given unless ``params`` says otherwise."""


class NeuralForecast(Forecaster):
    """A network of neuralforecast, trained on all series and targets together by its own ``fit``.

    Every target of every series is a series of its own there; known-future and past columns enter where the model
    takes them. Forecasts from many origins are one prediction. The distribution is that of the quantiles, which are
    learned with their own loss; without ``quantiles`` the loss is that of the mean absolute error, and intervals come
    from past errors. Saving keeps settings and weights, without pickle.

    Parameters
    ----------
    h : int
        Steps to forecast.
    model : str
        Name of a model that forecasts single series: ``"NHITS"``, ``"NLinear"``, ``"TFT"`` ….
    input_size : int
        Steps looked back at.
    params : dict, optional
        Further arguments of the model and of its trainer, such as ``{"max_steps": 200}``.
    quantiles : sequence of float or None
        Quantiles to learn, ascending; None: points alone.
    seed : int
    alias : str, optional
        Name in frames and tables; the model's name by default.
    """

    needs = "neuralforecast"
    quick: ClassVar[Mapping[str, object]] = {
        "model": "NLinear", "input_size": 14, "params": {"max_steps": 80, "learning_rate": 0.02},
    }  # fmt: skip
    past_origins = 8

    def __init__(
        self,
        h: int,
        model: str,
        *,
        input_size: int = 48,
        params: Mapping[str, object] | None = None,
        quantiles: Sequence[float] | None = DECILES,
        seed: int = 1,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        lookback = check_count("input_size", input_size)
        if lookback is None:
            raise ConfigError("input_size is the number of steps looked back at; got None. Type: input_size=48")
        self.model, self.input_size, self.seed = model, lookback, seed
        self.params = dict(params) if params else None
        self.quantiles = None if quantiles is None else tuple(float(q) for q in quantiles)
        if self.quantiles is not None and not _ascending(self.quantiles):
            raise ConfigError(f"quantiles are at least two between 0 and 1, ascending; got {quantiles!r}.")
        self.has_distribution = self.quantiles is not None
        kind = model_class(model)
        self.uses_future, self._takes_past = bool(kind.EXOGENOUS_FUTR), bool(kind.EXOGENOUS_HIST)
        self.lookback_ = lookback
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        self._columns: tuple[int, int] = (0, 0)
        """Numbers of known-future and of past columns that it was fitted with."""
        self._scales: dict[str, Array] = {}
        self._network: Any = None

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Lookback."""
        return {"input_size": at.lookbacks()}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.model

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lookback."""
        return self.lookback_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback."""
        return self.lookback_

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self._columns[0] > 0

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that were learned."""
        return None if self.quantiles is None else (self.quantiles[0], self.quantiles[-1])

    def _learnable(self, part: FitPart) -> Ints:
        self.lookback_ = part.lookback(self.name, self.input_size, self.h, least=1)
        return part.with_windows(self.lookback_, self.h)

    def _made(self) -> Any:
        from neuralforecast.losses.pytorch import MAE, MQLoss

        future, past = self._columns
        given: Json = {**QUIET, **(self.params or {})}
        given |= {"futr_exog_list": [f"f{k}" for k in range(future)]} if future else {}
        given |= {"hist_exog_list": [f"p{k}" for k in range(past)]} if past else {}
        loss = MAE() if self.quantiles is None else MQLoss(quantiles=list(self.quantiles))
        try:
            return model_class(self.model)(
                h=self.h, input_size=self.lookback_, loss=loss, random_seed=self.seed, **given
            )
        except TypeError as error:
            raise ConfigError(f"{self.model} of neuralforecast cannot be made: {error}.") from None

    @property
    def _scaled(self) -> bool:
        """Whether the model puts every window on one scale, so that it may be given one on another."""
        return bool({**QUIET, **(self.params or {})}["scaler_type"] != "identity")

    def _fit(self, part: FitPart) -> None:
        from neuralforecast.tsdataset import TimeSeriesDataset

        panel = part.train
        self._columns = (len(panel.future) * self.uses_future, len(panel.past) * self._takes_past)
        other = panel.values[:, panel.n_targets :].astype(np.float64).T
        location, scale = level_and_scale(other)
        self._scales = {"location": np.nan_to_num(location[:, 0]), "scale": scale[:, 0]}
        frames, ends = [], panel.observed - 1
        for entity, end in enumerate(ends):
            window = Windows(np.array([entity]), np.array([end]))
            y, columns, _, _ = self._inputs(panel, window, int(end) + 1)
            frames.append(_frame(y, columns, entity * panel.n_targets))
        dataset = TimeSeriesDataset.from_df(_joined(frames))[0]
        with quiet():
            self._network = self._made()
            self._network.fit(dataset)

    def _inputs(self, panel: Panel, windows: Windows, length: int) -> tuple[Floats, dict[str, Floats], Floats, Floats]:
        """Targets ``[n, L]``, further columns by name ``[n, L (+ H)]``, and levels and scales ``[n, 1]``."""
        d, n_past = panel.n_targets, len(panel.past)
        values = carried_forward(contexts_of(panel, windows, length, past=True))
        own = values[:, :d].reshape(-1, length)
        level, scale = level_and_scale(own) if self._scaled else (np.zeros((len(own), 1)), np.ones((len(own), 1)))
        location, width = (np.asarray(self._scales[name], dtype=np.float64)[:, None] for name in ("location", "scale"))
        past = (values[:, d:] - location[:n_past]) / width[:n_past]
        columns = {f"p{k}": np.repeat(past[:, k], d, axis=0) for k in range(self._columns[1])}
        if self._columns[0]:
            h = self.h if self._network is not None else 0
            known = (known_contexts(panel, windows, length, h) - location[n_past:]) / width[n_past:]
            columns |= {f"f{k}": np.repeat(known[:, k], d, axis=0) for k in range(self._columns[0])}
        return (own - level) / scale, {n: np.nan_to_num(v) for n, v in columns.items()}, level, scale

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        y, columns, level, scale = self._inputs(panel, windows, self.lookback_)
        able = np.flatnonzero(np.isfinite(y).all(axis=1))
        levels = np.array([0.5] if self.quantiles is None else self.quantiles)
        made = np.full((len(y), self.h, len(levels)), np.nan)
        if len(able):
            made[able] = self._answers(y[able], {name: column[able] for name, column in columns.items()})
        made = np.sort(made * scale[..., None] + level[..., None], axis=-1)
        found = np.moveaxis(made.reshape(len(windows), panel.n_targets, self.h, -1), 1, 2)
        if self.quantiles is None:
            return Prediction(found[..., 0])
        return Prediction(found @ shares(levels), between(found, levels, quantiles) if quantiles else None)

    def _answers(self, y: Floats, columns: dict[str, Floats]) -> Floats:
        """Forecast scaled windows ``[n, L]``: ``[n, H, Q]``."""
        from neuralforecast.tsdataset import TimeSeriesDataset

        length = y.shape[1]
        dataset = TimeSeriesDataset.from_df(_frame(y, {n: column[:, :length] for n, column in columns.items()}, 0))[0]
        empty = np.zeros((len(y), self.h))  # masked inside; where it is left out, the gap makes all forecasts NaN
        ahead = {n: c[:, length:] if c.shape[1] > length else c[:, [-1] * self.h] for n, c in columns.items()}
        future = _frame(empty, ahead, 0)
        future["ds"] += length
        dataset = dataset.append(dataset.align(future, id_col="unique_id", time_col="ds", target_col="y"))
        with quiet():
            self._network.set_test_size(self.h)
            made = np.asarray(self._network.predict(dataset), dtype=np.float64)
        return made.reshape(len(y), self.h, -1)

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """The weights, and the scales of further columns."""
        return {**weights_of(self._network), **{f"scales.{name}": value for name, value in self._scales.items()}}

    def facts(self) -> dict[str, object]:
        """Lookback and columns."""
        return {"lookback": self.lookback_, "columns": list(self._columns)}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        self.lookback_, self._columns = int(facts["lookback"]), (int(facts["columns"][0]), int(facts["columns"][1]))
        self._scales = {name: state[f"scales.{name}"] for name in ("location", "scale")}
        with quiet():
            self._network = self._made()
        put_weights(self._network, {n: value for n, value in state.items() if not n.startswith("scales.")})
        self._network.eval()


def model_class(name: str) -> Any:
    """Return a model of neuralforecast that forecasts single series.

    Parameters
    ----------
    name : str

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        For a name that it has not, and for a model of several series at once.
    """
    from neuralforecast import models

    if name not in models.__all__:
        raise ConfigError(f"neuralforecast has no model {name!r}. {nearest(name, models.__all__)}")
    kind = getattr(models, name)
    if getattr(kind, "MULTIVARIATE", False) or not hasattr(kind, "EXOGENOUS_FUTR"):
        raise ConfigError(f"{name} is no model of single series. Take one such as 'NHITS', 'NLinear' or 'TFT'.")
    return kind


def _ascending(quantiles: Sequence[float]) -> bool:
    return len(quantiles) > 1 and bool((np.diff([0.0, *quantiles, 1.0]) > 0).all())


def _frame(y: Floats, columns: Mapping[str, Floats], first: int) -> pd.DataFrame:
    """Series ``[n, L]`` as a long frame, numbered from ``first`` on."""
    import pandas as pd

    n, length = y.shape
    made: Json = {"unique_id": np.repeat(np.arange(first, first + n), length), "ds": np.tile(np.arange(length), n)}
    made |= {"y": y.reshape(-1), **{name: column.reshape(-1) for name, column in columns.items()}}
    return pd.DataFrame(made)


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(frames, ignore_index=True).dropna()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the trainer's messages, and its seeding of all generators, inside."""
    import torch

    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning")]
    before = [log.level for log in loggers]
    python, numpy = random.getstate(), np.random.get_state()
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for log, level in zip(loggers, before, strict=True):
            log.setLevel(level)
