"""The forecasters of a backtest: those asked for, and the simple baselines that run by default."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from foretide.data.counts import count_like
from foretide.data.windows import slide
from foretide.errors import ConfigError
from foretide.evaluation.model import Model
from foretide.evaluation.rolling.dates import moment
from foretide.evaluation.rolling.fold_store import digest_of_arrays
from foretide.evaluation.rolling.plan import BacktestWarning
from foretide.forecasters.base import Forecaster, held_back
from foretide.forecasters.naming import check_names
from foretide.forecasters.options import decisive
from foretide.forecasters.simple.default_set import is_baseline, simple_set
from foretide.forecasters.table import class_place
from foretide.forecasters.wrappers.wrapper import unfitted
from foretide.text import time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.evaluation.rolling.plan import Plan
    from foretide.typing import Json

T = TypeVar("T")

LOOKBACK = 60
"""Lookback of the ridge baseline beside models that have none; less where the first training part is short."""


ModelOrName: TypeAlias = "Model | str | Mapping[str, Mapping[str, object] | None]"


@dataclass(frozen=True)
class Member:
    """One forecaster of a backtest.

    Attributes
    ----------
    forecaster : Model
        Never changed: fits are made on copies.
    baseline : bool
        Whether skill is measured against it.
    asked : bool
        Whether it was named, or runs by default.
    start_of : tuple of str
        The networks whose closed-form start it is.
    """

    forecaster: Model
    baseline: bool
    asked: bool
    start_of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return str(getattr(self.forecaster, "name", None) or type(self.forecaster).__name__)

    @property
    def fitted(self) -> bool:
        """Whether it came fitted."""
        return bool(getattr(self.forecaster, "is_fitted", False))

    @property
    def settings(self) -> Json:
        """Its settings; of a class unknown here, what it shows of itself."""
        own = getattr(self.forecaster, "settings", None)
        return dict(own()) if callable(own) else {"as shown": repr(self.forecaster)}

    @property
    def warms(self) -> bool:
        """Whether it can begin at what an earlier fit learned."""
        return bool(getattr(self.forecaster, "can_warm_start", False))

    def fresh(self) -> Model:
        """Return an unfitted copy.

        Returns
        -------
        Model
        """
        if isinstance(self.forecaster, Forecaster):
            return self.forecaster.fresh()
        return copy.deepcopy(self.forecaster)

    def described(self, *, as_it_is: bool) -> Json:
        """Return what decides its forecasts besides the data, as JSON; with its state where it is used as it came.

        Parameters
        ----------
        as_it_is : bool

        Returns
        -------
        dict
        """
        told: Json = {"class": class_place(type(self.forecaster)), "settings": decisive(self.settings)}
        if as_it_is:
            own = isinstance(self.forecaster, Forecaster)
            told["state"] = digest_of_arrays(self.forecaster.state()) if own else "?"  # type: ignore[attr-defined]
        return told


def members_of(
    models: ModelOrName | Sequence[ModelOrName], panel: Panel, part: Panel, *, h: int, baselines: bool,
    shared: Mapping[str, object],
) -> tuple[list[Member], list[str]]:  # fmt: skip
    """Return the forecasters of a backtest, baselines first, and lines on what was left out.

    Parameters
    ----------
    models : forecaster, str, {name: settings}, or a sequence of them
    panel, part : Panel
        All of the data; the first training part. Where every target is a count in it, intermittent baselines run too.
    h : int
        Horizon.
    baselines : bool
        Whether the simple baselines run by default.
    shared : mapping
        Settings handed to the baselines that know them.

    Returns
    -------
    tuple[list of Member, list of str]
    """
    asked = _asked(models, h)
    notes: list[str] = []
    defaults: list[Member] = []
    if baselines:
        sizes = [size for m in asked if (size := getattr(m.forecaster, "input_size", None)) is not None]
        fitting = (round(0.85 * int(part.observed.max())) - h) // 2
        known = {
            "input_size": max(sizes) if sizes else max(2, min(LOOKBACK, fitting)),
            **{key: value for key, value in shared.items() if value is not None},
        }
        counts = bool(count_like(part).all())
        beside = [m.forecaster for m in asked]
        found, notes = simple_set(h, counts=counts, freq=panel.grid.freq, shared=known, beside=beside)
        defaults = [Member(forecaster, True, False) for forecaster in found]
    everyone = [*defaults, *asked]
    if not everyone:
        raise ConfigError("There is nothing to backtest: name a model, or leave baselines on.")
    check_names([m.name for m in everyone], columns=(panel.names.id, panel.names.time))
    return everyone, notes


def _asked(models: ModelOrName | Sequence[ModelOrName], h: int) -> list[Member]:
    """Return the models that were named, after a check that they can be fitted and forecast ``h`` steps."""
    given = [models] if isinstance(models, (str, Mapping)) or not isinstance(models, Sequence) else list(models)
    made: list[Model] = []
    for model in given:
        named = {model: None} if isinstance(model, str) else model
        made.append(
            unfitted({name: settings or {} for name, settings in named.items()}, h)
            if isinstance(named, Mapping)
            else named
        )
    for model in made:
        missing = [what for what in ("fit", "predict") if not callable(getattr(model, what, None))]
        if missing:
            raise ConfigError(f"{model!r} is no forecaster: it has no {' and no '.join(missing)} method.")
    horizons = sorted({h, *(int(m.h) for m in made if hasattr(m, "h"))})
    if len(horizons) > 1:
        raise ConfigError(
            f"All models of a backtest forecast the same number of steps; got h={horizons}. Make them with one h."
        )
    return [Member(m, is_baseline(m), True) for m in made]


def call(method: Callable[..., T], *args: object, **options: object) -> T:
    """Call a method of a forecaster with those of the options that it takes.

    Parameters
    ----------
    method : callable
    *args : object
    **options : object

    Returns
    -------
    T
    """
    known = inspect.signature(method).parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    return method(*args, **{k: v for k, v in options.items() if open_ended or k in known})


def warn_of_empty_validation(members: Sequence[Member], panel: Panel, plan: Plan) -> None:
    """Say so where a model that stops early, or chooses settings, would have nothing to do it on.

    Parameters
    ----------
    members : sequence of Member
    panel : Panel
    plan : Plan
    """
    block, part = plan.blocks[0], plan.known(panel)
    for member in members:
        model = member.forecaster
        if not member.asked or not isinstance(model, Forecaster) or not model.uses_validation or member.fitted:
            continue
        end = plan.train_end(block)
        rows = held_back(part, model.h)
        if end is not None:
            rows = np.clip(part.grid.step_at_or_before(moment(panel, end)) - part.first + 1, 0, part.observed)
        windows = slide(part, input_size=model.min_history, h=model.h, first_target=part.first + rows)
        if not len(windows):
            warnings.warn(
                f"The validation part of {member.name} is empty: no series holds a window of {model.h} steps in it "
                f"with {model.min_history} before. Nothing is chosen or stopped early on it. Take val_size of at "
                f"least {model.h}, or give more history before the first cutoff.",
                BacktestWarning,
                stacklevel=4,
            )


def warn_of_overlap(members: Sequence[Member], panel: Panel, plan: Plan) -> None:
    """Say so where a model that came fitted has seen what it is tested on.

    Parameters
    ----------
    members : sequence of Member
    panel : Panel
    plan : Plan
    """
    first = panel.grid.times([plan.folds[0].cutoff])[0]
    for member in members if len(plan.blocks) == 1 else ():
        until = getattr(member.forecaster, "fitted_until", None) if member.fitted else None
        if until is None:
            continue
        seen = int(until) if panel.grid.is_integer else pd.Timestamp(until)
        if seen > first:
            warnings.warn(
                f"{member.name} was fitted on steps up to {time_text(seen)}, later than the first cutoff "
                f"{time_text(first)}: test and training overlap, and its figures flatter it. "
                "Give it unfitted, or fitted up to there.",
                BacktestWarning,
                stacklevel=4,
            )
