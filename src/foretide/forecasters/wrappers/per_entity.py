"""One model per entity, around any forecaster."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from foretide.data.checkpoints import Gradual
from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import joined_choices
from foretide.forecasters.fitting import go_on, so_far
from foretide.forecasters.simple.history import by_entity
from foretide.forecasters.wrappers.wrapper import Member, Single
from foretide.parallel import Outcome, Where, check_jobs, stream_tasks, using

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Frame, Json, Time

FITTED, FAILED = "fitted", "failed"
TOGETHER = "all"
"""Name of a state that holds every entity's array."""
Progress = Callable[[int, int, "Outcome[Entity]"], None]


class Entity(NamedTuple):
    """What was learned of one entity.

    Attributes
    ----------
    state, facts
        As of the forecaster.
    min_history : int
        Rows needed up to a cutoff.
    n_observed : int
        Rows up to the last observed target.
    seconds : float
        Wall time of the fit.
    error : str
        Why it failed; empty where it did not.
    memory : int or None
        Rows up to a cutoff that its forecasts depend on; all by default.
    """

    state: dict[str, Array]
    facts: dict[str, object]
    min_history: int
    n_observed: int
    seconds: float
    error: str = ""
    memory: int | None = None


class PerEntity(Single):
    """One model per entity: a copy of a forecaster for each, fitted on that entity alone.

    An entity whose fit fails does not end the others': it stands in :attr:`table` with its error, and a simple stand-in
    forecasts it; when all fail, :meth:`fit` raises. An entity that was not there at the fit gets the stand-in too.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    n_jobs : int
        Entities fitted side by side; -1: one per core. It changes no forecast.
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; by default the model's with ``-per-entity``.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.PerEntity(ft.SeasonalES(h=24)).fit(panel).table[["id", "status"]].shape
    (1, 2)
    """

    knows_ids = True
    accepts_new_ids = False
    quick: ClassVar[Mapping[str, object]] = {"model": {"SeasonalES": {}}}

    def __init__(self, model: Member, *, n_jobs: int = 1, h: int | None = None, alias: str | None = None) -> None:
        super().__init__(model, h, alias=alias)
        self.n_jobs = check_jobs(n_jobs)
        self.entities_: dict[str, Entity] = {}
        """What was learned of each entity, by name."""
        self._progress: Progress | None = None

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or f"{self.inner.name}-per-entity"

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff; 1 where some entity failed, which may be for want of rows."""
        found = self.entities_.values()
        if any(entity.error for entity in found):
            return 1
        return min((entity.min_history for entity in found), default=self.inner.min_history)

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: as many as those of any entity do."""
        found = [entity.memory for entity in self.entities_.values() if not entity.error] or [self.inner.memory]
        return None if None in found else max(rows for rows in found if rows is not None)

    @property
    def table(self) -> pd.DataFrame:
        """One row per entity: ``id``, ``status``, ``error``, ``seconds`` of its fit, ``n_observed`` rows seen."""
        import pandas as pd

        found = self.entities_
        return pd.DataFrame(
            {
                "id": list(found),
                "status": [FAILED if entity.error else FITTED for entity in found.values()],
                "error": [entity.error for entity in found.values()],
                "seconds": np.array([entity.seconds for entity in found.values()], dtype=np.float64),
                "n_observed": np.array([entity.n_observed for entity in found.values()], dtype=np.int64),
            }
        )

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        panel, gradual, self.entities_ = part.panel, Gradual("entities"), {}
        go_on(self, gradual.found())
        left = [i for i, name in enumerate(panel.ids) if name not in self.entities_]
        shared = _Shared(panel, self.inner.fresh(), part.train_until)
        tasks = stream_tasks(_fit_one, left, shared=shared, n_jobs=self.n_jobs, progress=self._progress)
        causes: dict[int, BaseException | None] = {}
        with closing(tasks) as outcomes:
            for outcome in outcomes:
                i = left[outcome.index]
                self.entities_[panel.ids[i]] = outcome.get() if outcome.ok else _failed(outcome, int(panel.observed[i]))
                causes[i] = outcome.error
                gradual.keep(lambda: so_far(self))
        found = [self.entities_[name] for name in panel.ids]
        self.entities_ = dict(zip(panel.ids, found, strict=True))
        errors = [i for i, entity in enumerate(found) if entity.error]
        if not errors:
            return
        first = errors[0]
        what = f"{len(errors)} of {len(found)} entities could not be fitted"
        about = f"The first is {panel.ids[first]!r}: {found[first].error}"
        if len(errors) == len(found):
            raise DataError(f"{self.name}: {what}. {about}") from causes.get(first)
        warnings.warn(
            f"{self.name}: {what} and are forecast by a simple stand-in; see .table. {about}", UserWarning, stacklevel=3
        )

    # ---------------------------------------------------------------- forecasting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        shape = (len(windows), self.h, panel.n_targets)
        mean = np.full(shape, np.nan)
        distributions = np.full((*shape, len(quantiles)), np.nan) if quantiles else None
        for i, chosen in by_entity(windows):
            entity, cutoffs = self.entities_[panel.ids[i]], windows.cutoff[chosen]
            chosen, cutoffs = (a[cutoffs + 1 >= entity.min_history] for a in (chosen, cutoffs))
            if entity.error or not len(chosen):
                continue
            model = self.inner.fresh()
            model.restore(entity.state, entity.facts)
            got = model._predict(panel.take([i]), Windows(np.zeros(len(chosen), np.int64), cutoffs), quantiles, ())
            mean[chosen] = got.mean
            if distributions is not None:
                distributions[chosen] = got.quantiles
        return Prediction(mean, distributions)

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What the model of each entity chose."""
        found: list[pd.DataFrame] = []
        for k, entity in enumerate(self.entities_.values()):
            if not entity.error:
                model = self.inner.fresh()
                model.restore(entity.state, entity.facts)
                found.append(model._choices(layout.take([k])).assign(own=True))
        return joined_choices(found)

    # ---------------------------------------------------------------- keeping
    def state(self) -> dict[str, Array]:
        """Every entity's arrays: one stack for all, ``all/<name>`` ``[N, ...]``, where they agree in shape."""
        found = self.entities_.values()
        return _stacked([entity.state for entity in found], [not entity.error for entity in found])

    def facts(self) -> dict[str, object]:
        """Every entity's facts, and what the table shows of it."""
        shown = [name for name in Entity._fields if name != "state"]
        return {
            "entities": {name: {key: getattr(e, key) for key in shown} for name, e in self.entities_.items()},
        }

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        known: dict[str, Json] = facts["entities"]
        states = _unstacked(state, [not told["error"] for told in known.values()])
        self.entities_ = {
            name: Entity(state=own, **told) for own, (name, told) in zip(states, known.items(), strict=True)
        }  # fmt: skip


def fit_each(
    model: Member,
    panel: Panel | Frame,
    until: Time | None = None,
    *,
    train_until: Time | None = None,
    n_jobs: int = 1,
    h: int | None = None,
    alias: str | None = None,
    progress: Progress | None = None,
    executor: Where | None = None,
) -> PerEntity:
    """Fit one model per entity; see :class:`PerEntity`.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
    panel : Panel, pandas or polars data frame
    until, train_until : times, optional
        As for :meth:`Forecaster.fit`. An entity that ends before ``train_until`` is fitted as if it were not given.
    n_jobs, h, alias
        As for :class:`PerEntity`.
    progress : callable, optional
        ``progress(done, total, outcome)``, called after every entity.
    executor : str or {name: options}, optional
        Where they are fitted, such as ``"ray"``: see :func:`foretide.parallel.using`.

    Returns
    -------
    PerEntity
        Fitted; ``.table`` holds one row per entity, failures among them.

    Raises
    ------
    DataError
        When no entity could be fitted.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.fit_each("SeasonalES", panel, h=24).name
    'SeasonalES-per-entity'
    """
    made = PerEntity(model, n_jobs=n_jobs, h=h, alias=alias)
    made._progress = progress
    try:
        with using(executor, n_jobs):
            return made.fit(panel, until, train_until=train_until)
    finally:
        made._progress = None


class _Shared(NamedTuple):
    """What every fit reads."""

    panel: Panel
    model: Forecaster
    train_until: Time | None


def _fit_one(shared: _Shared, i: int) -> Entity:
    """Fit one entity, in a worker or here."""
    started = time.perf_counter()
    own, until = shared.panel.take([i]), shared.train_until
    seen = int(own.observed[0])
    if until is not None and int(own.first[0]) + seen - 1 < own.grid.step_at_or_before(until):
        until = None  # it ended before
    model = shared.model.fresh().fit(own, train_until=until, intervals=False)
    seconds = time.perf_counter() - started
    return Entity(model.state(), model.facts(), model.min_history, seen, seconds, memory=model.memory)


def _failed(outcome: Outcome[Entity], n_observed: int) -> Entity:
    error = f"{type(outcome.error).__name__}: {outcome.error}"
    return Entity({}, {}, 1, n_observed, outcome.seconds, error)


def _stacked(states: Sequence[dict[str, Array]], fitted: Sequence[bool]) -> dict[str, Array]:
    """Put the arrays of many entities under one name each, stacked where all that are fitted agree in shape."""
    own = [(k, state) for k, (state, is_fitted) in enumerate(zip(states, fitted, strict=True)) if is_fitted]
    found: dict[str, Array] = {}
    for name in dict.fromkeys(name for _, state in own for name in state):
        arrays = [state[name] for _, state in own if name in state]
        if len(arrays) == len(own) and len({(array.shape, array.dtype) for array in arrays}) == 1:
            found[f"{TOGETHER}/{name}"] = np.stack(arrays)
        else:
            found |= {f"{k}/{name}": state[name] for k, state in own if name in state}
    return found


def _unstacked(arrays: Mapping[str, Array], fitted: Sequence[bool]) -> list[dict[str, Array]]:
    """Undo :func:`_stacked`."""
    found: list[dict[str, Array]] = [{} for _ in fitted]
    for key, array in arrays.items():
        which, _, name = key.partition("/")
        if which != TOGETHER:
            found[int(which)][name] = array
            continue
        for row, k in enumerate(np.flatnonzero(fitted)):
            found[k][name] = array[row, ...]
    return found
