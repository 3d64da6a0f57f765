"""Rolling-origin backtests: every model on the same folds, learning from the past of each fold only.

Every fold has a cutoff, the last observed step. Models see training steps up to ``cutoff - gap``, look back from the
cutoff, and are judged on the ``h`` steps after it. Folds that share a fit are forecast in a single vectorised pass.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, ForetideError
from foretide.evaluation.align import oracle_forecast
from foretide.evaluation.cost import measured
from foretide.evaluation.dates import moment, shown
from foretide.evaluation.fold_store import BlockResult, FoldStore, digest_of_panel, key_of
from foretide.evaluation.folds import Fold, FoldOptions, Plan, make_plan
from foretide.evaluation.members import Member, call, members_of, warn_of_empty_validation, warn_of_overlap
from foretide.evaluation.quantile_metrics import DECILES
from foretide.evaluation.score import score
from foretide.evaluation.scorecard import ModelRun, Scorecard
from foretide.forecasters.forecast import Forecast

if TYPE_CHECKING:
    from foretide.data.panel import Panel

Say = Callable[[str], None]


def backtest(
    models: Any,
    panel: Panel,
    *,
    h: int | None = None,
    warm_start: bool = False,
    baselines: bool = True,
    calendar: Any = None,
    levels: Sequence[float] = (80, 95),
    quantiles: Sequence[float] | None = None,
    truth: Any = None,
    folder: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Say | None = None,
    **folds: Unpack[FoldOptions],
) -> Scorecard:
    """Forecast from rolling origins and put the models beside the truth and the simple baselines.

    Parameters
    ----------
    models : forecaster, or sequence of them
        Forecasters, names, ``{name: settings}``, or objects with ``h``, ``fit(panel, until)`` and ``predict(panel,
        cutoffs)`` that returns a :class:`foretide.Forecast`. They are copied, not changed, and begin anew at every fit.
    h : int, optional
        Steps forecast; that of the models by default.
    warm_start : bool
        Begin each further fit at the weights of the one before, for the models that can.
    baselines : bool
        Whether the simple baselines run unasked; ``calendar`` is handed to those that know holidays.
    levels, quantiles : sequences of float
        Central levels in percent, further quantiles as fractions (0.1 to 0.9 by default).
    truth : object, optional
        Of a synthetic series, ``data.truth``: its oracle is scored too.
    folder : path, optional
        Keeps the results of every fit: the same call resumes an interrupted backtest; ``overwrite`` drops another.
    progress : callable, optional
        Gets a line of text for every fit, with the time left.
    **folds
        ``step``, ``n_windows``, ``start``, ``gap``, ``train_size``, ``val_size``, ``refit`` and ``season``, as in
        :class:`foretide.evaluation.folds.FoldOptions`.

    Raises
    ------
    ConfigError, DataError
        Before anything is fitted; or when a model that was asked for fails: the message names model and fold.
    """
    horizon = h if h is not None else _horizon(models)
    plan = make_plan(panel, horizon, **folds)
    part = plan.part(panel, plan.blocks[0]).until(moment(panel, plan.fit_end(plan.blocks[0])))
    members, notes = members_of(
        models, panel, part, h=horizon, baselines=baselines,
        shared={"season": folds.get("season"), "calendar": calendar},
    )  # fmt: skip
    warn_of_empty_validation(members, panel, plan)
    warn_of_overlap(members, panel, plan)
    wanted = tuple(quantiles) if quantiles is not None else DECILES
    store = _open(folder, panel, plan, levels, wanted, overwrite=overwrite)
    work = _Work(panel, plan, tuple(levels), wanted, warm_start, store, progress)
    found = work.run(members)
    return _card(found, work, [*notes, *work.notes], truth)


def _horizon(models: Any) -> int:
    several = models if isinstance(models, Sequence) and not isinstance(models, str) else [models]
    for model in several:
        given = getattr(model, "h", None)
        if isinstance(model, Mapping):
            given = next((dict(v or {}).get("h") for v in model.values()), None)
        if given is not None:
            return int(given)
    raise ConfigError("No model says how many steps to forecast. Give h=..., the horizon.")


def _open(
    folder: Any, panel: Panel, plan: Plan, levels: Sequence[float], quantiles: Sequence[float], *, overwrite: bool
) -> FoldStore | None:
    if folder is None:
        return None
    about = {
        "data": digest_of_panel(panel), "plan": plan.to_dict(), "levels": list(levels), "quantiles": list(quantiles)
    }  # fmt: skip
    return FoldStore(folder, about, overwrite=overwrite)


@dataclass
class _Work:
    """Fits and forecasts, block by block, so that after the first block the time left is known."""

    panel: Panel
    plan: Plan
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    warm_start: bool
    store: FoldStore | None
    progress: Say | None
    notes: list[str] = field(default_factory=list)
    resumed: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    warm: dict[str, Any] = field(default_factory=dict)

    def run(self, members: Sequence[Member]) -> dict[str, tuple[Member, list[BlockResult]]]:
        """Return the results of every member that could be fitted in all blocks."""
        found: dict[str, tuple[Member, list[BlockResult]]] = {m.name: (m, []) for m in members}
        self._note_warm(members)
        for number, block in enumerate(self.plan.blocks):
            for member in [m for m in members if m.name in found]:
                self._say(member.name, block, [m for m, _ in found.values()], number)
                result = self._result(member, block, found)
                if result is not None:
                    found[member.name][1].append(result)
        if self.resumed:
            total = sum(len(results) for _, results in found.values())
            assert self.store is not None
            self.notes.append(f"resumed: {self.resumed} of {total} fits were read from {self.store.folder}")
            if self.progress is not None:
                self.progress(self.notes[-1])
        if not found:
            raise ForetideError("No model could be fitted. " + " ".join(self.notes))
        return found

    def _result(
        self, member: Member, block: Sequence[Fold], found: dict[str, tuple[Member, list[BlockResult]]]
    ) -> BlockResult | None:
        """Read a result, or make it; None, and a note, where a baseline nobody asked for cannot be fitted."""
        as_it_is = member.fitted and self.plan.blocks == (self.plan.folds,)
        warms = self.warm_start and member.warms
        key = ""
        # A warm fit continues the one before, whose weights are not kept: it cannot be picked up in the middle.
        if self.store is not None and not warms:
            folds = {"cutoffs": [f.cutoff for f in block], "fit_end": self.plan.fit_end(block)}
            key = key_of(member.name, {**member.described(as_it_is=as_it_is), **folds})
            result = self.store.load(key)
            if result is not None:
                self.resumed += 1
                return result
        start = time.perf_counter()
        try:
            result = self._make(member, block, as_it_is=as_it_is, warms=warms)
        except (DataError, ConfigError) as error:
            if member.asked:
                raise type(error)(
                    f"{member.name}, fold {block[0].index} (cutoff {shown(block[0].time)}): {error}"
                ) from error
            self.notes.append(f"{member.name} left out: {error}")
            del found[member.name]
            return None
        self.seconds.setdefault(member.name, []).append(time.perf_counter() - start)
        if key and self.store is not None:
            self.store.save(key, result)
        return result

    def _make(self, member: Member, block: Sequence[Fold], *, as_it_is: bool, warms: bool) -> BlockResult:
        panel, plan = self.panel, self.plan
        former = self.warm.get(member.name) if warms else None
        model = member.forecaster if as_it_is else former if former is not None else member.fresh()
        with measured() as fit:
            if not as_it_is:
                end = plan.train_end(block)
                options = {"warm_start": True} if former is not None else {}
                if end is not None:
                    options["train_until"] = moment(panel, end)
                call(model.fit, plan.part(panel, block), until=moment(panel, plan.fit_end(block)), **options)
        if warms:
            self.warm[member.name] = model
        with measured() as predict:
            forecast: Forecast = call(
                model.predict, panel, cutoffs=[f.time for f in block], levels=self.levels, quantiles=self.quantiles
            )
        known = np.flatnonzero(~np.isnan(forecast.truth(panel)).all(axis=(1, 2)))
        if not len(known):
            raise DataError(f"No truth is known for any window of these folds; {member.name} cannot be judged there.")
        kept = forecast.take(known)
        return BlockResult(
            kept.windows.entity, kept.windows.cutoff, kept.mean, kept.quantiles, tuple(kept.levels),
            tuple(kept.quantile_levels), fit, predict,
        )  # fmt: skip

    def _note_warm(self, members: Sequence[Member]) -> None:
        if self.warm_start:
            cold = [m.name for m in members if m.asked and not m.warms]
            if cold:
                self.notes.append(f"warm_start: {', '.join(cold)} cannot, and begin anew at every fit")

    def _say(self, name: str, block: Sequence[Fold], members: Sequence[Member], number: int) -> None:
        if self.progress is None:
            return
        cutoffs = f"cutoff {shown(block[0].time)}" + (f" and {len(block) - 1} more" if len(block) > 1 else "")
        blocks = len(self.plan.blocks)
        # What is left: this model and those after it in this block, and everyone in the blocks to come.
        after = [m.name for m in members][[m.name for m in members].index(name) :]
        typical = {m.name: float(np.median(self.seconds[m.name])) for m in members if self.seconds.get(m.name)}
        left = sum(typical.get(m, 0.0) for m in after) + (blocks - number - 1) * sum(typical.values())
        known = number > 0 and len(typical) > 0
        about = f", about {duration(left)} left" if known else ""
        self.progress(f"fit {number + 1} of {blocks}, {name} ({cutoffs}){about}")


def duration(seconds: float) -> str:
    """Return a time span in words: ``45 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _card(
    found: dict[str, tuple[Member, list[BlockResult]]], work: _Work, notes: Sequence[str], truth: Any
) -> Scorecard:
    """Put the blocks of every model together and score them."""
    panel, plan = work.panel, work.plan
    forecasts = [_joined(name, panel, results) for name, (_, results) in found.items()]
    oracle = oracle_forecast(truth, panel, forecasts[0].windows, plan.h, work.levels, work.quantiles)
    scores = score(
        forecasts, panel, train_until=moment(panel, plan.fit_end(plan.blocks[0])), season=plan.season, oracle=oracle,
        baselines=[name for name, (member, _) in found.items() if member.baseline],
    )  # fmt: skip
    runs = tuple(_run_of(name, member, results) for name, (member, results) in found.items())
    return Scorecard.of(scores, plan, runs, notes)


def _joined(name: str, panel: Panel, results: Sequence[BlockResult]) -> Forecast:
    windows = Windows(np.concatenate([r.entity for r in results]), np.concatenate([r.cutoff for r in results]))
    laws = [r.quantiles for r in results if r.quantiles is not None]
    quantiles = np.concatenate(laws) if len(laws) == len(results) else None
    levels = (results[0].levels, results[0].quantile_levels) if quantiles is not None else ((), ())
    return Forecast(name, panel, windows, np.concatenate([r.mean for r in results]), *levels, quantiles)


def _run_of(name: str, member: Member, results: Sequence[BlockResult]) -> ModelRun:
    settings = member.settings
    return ModelRun(
        name, type(member.forecaster).__name__, member.baseline, member.asked, settings, settings.get("seed"),
        len(results), sum(r.fit.seconds for r in results), sum(r.predict.seconds for r in results),
        max(max(r.fit.peak_mib, r.predict.peak_mib) for r in results),
    )  # fmt: skip
