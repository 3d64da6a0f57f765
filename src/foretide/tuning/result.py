"""What a search returns: the trials, the best model, and how it stands beside the simple baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.exports import write_csv
from foretide.data.files import write_text
from foretide.errors import ConfigError, ForetideError, nearest
from foretide.forecasters.artifact import to_json, versions
from foretide.forecasters.simple.default_set import is_baseline
from foretide.text import percent
from foretide.tuning.candidates import Candidate, plain
from foretide.tuning.ledger import COMPLETE, FAILED, Row
from foretide.tuning.space import Settings, Space, distributions_of, params_of
from foretide.tuning.storage import get_optuna, has_optuna, quiet
from foretide.tuning.trials import FIXED, by_number

if TYPE_CHECKING:
    from os import PathLike

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.pictures.show import Drawing
    from foretide.tuning.objective import Task
    from foretide.typing import Json

TRIALS, STUDY = "trials.csv", "study.json"
CAUTION = (
    "The winner was chosen by these very folds, so its figure flatters it; judge it on data the search has not seen: "
    "ft.backtest, or the test part."
)


@dataclass(frozen=True)
class Best:
    """The trial with the least error.

    Attributes
    ----------
    model : str
    number : int
    value : float
    seed : int or None
    settings : dict
        What was searched, as it was chosen.
    """

    model: str
    number: int
    value: float
    seed: int | None
    settings: Settings


@dataclass(frozen=True, eq=False)
class Study:
    """A search, finished or stopped.

    Attributes
    ----------
    name, storage : str
        Of the study; with both, the same call goes on.
    metric : str
        What was made small.
    baselines : dict
        Simple baseline -> its error on the same inner folds.
    notes : tuple of str
    about : dict
        Data, folds, classes, spaces, sampler, pruner and seed.
    task : Task
        Inner folds, their windows and measure.
    part : Panel
        The training part.
    candidates : tuple of Candidate
        The classes that were searched.
    rows : tuple of Row
        Every trial, oldest first, without those that were given back before they began.
    """

    name: str
    storage: str
    metric: str
    baselines: dict[str, float]
    notes: tuple[str, ...]
    about: Json
    task: Task
    part: Panel = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial: ``number, model, state, value, seconds, seed, error``, and each setting that was searched.

        ``state`` is ``complete``, ``pruned``, ``failed``, ``interrupted`` or, of other processes, ``running``.
        """
        names = dict.fromkeys(name for candidate in self.candidates for name in candidate.space)
        lines = [
            {
                "number": number, "model": row.label, "state": row.state,
                "value": np.nan if row.value is None else row.value, "seconds": row.seconds, "seed": row.seed,
                "error": row.error, **{name: row.settings.get(name) for name in names},
            }
            for number, row in enumerate(self.rows)
        ]  # fmt: skip
        return pd.DataFrame(lines, columns=[*FIXED, *names]).astype({"seed": "Int64"})

    # ---------------------------------------------------------------- the winner
    @property
    def best(self) -> Best:
        """The trial with the least error; the first of equals, so the defaults before others.

        Raises
        ------
        ForetideError
            When no trial was completed; the message holds their errors.
        """
        return self.best_of()

    def best_of(self, model: str | None = None) -> Best:
        """Return the trial with the least error, of one class or of all; raises as :attr:`best`."""
        if model is not None:
            self._candidate(model)
        mine = [(number, row) for number, row in enumerate(self.rows) if model in (None, row.label)]
        done = [
            Best(row.label, number, row.value, row.seed, dict(row.settings)) for number, row in mine
            if row.state == COMPLETE and row.value is not None
        ]  # fmt: skip
        if not done:
            errors = list(dict.fromkeys(row.error for _, row in mine if row.state == FAILED))
            why = f" What went wrong: {' '.join(errors[:3])}" if errors else " Give it more trials or time."
            raise ForetideError(f"No trial of {model or 'the search'} was completed.{why}")
        return min(done, key=lambda best: (best.value, best.number))

    @cached_property
    def best_model(self) -> Forecaster:
        """The best settings, refitted on the whole training part and nothing after it; fitted once."""
        return self.unfitted().fit(self.part)

    def unfitted(self, model: str | None = None) -> Forecaster:
        """Return an unfitted forecaster with the best settings, of one class or of all."""
        best = self.best_of(model)
        return self._candidate(best.model).make(best.settings, best.seed)

    def default_of(self, model: str) -> Forecaster:
        """Return an unfitted forecaster with the settings of a class's first trial."""
        candidate = self._candidate(model)
        return candidate.make(candidate.start, self.about["seed"])

    @property
    def settings(self) -> dict[str, Settings]:
        """``{class: settings}`` of the winner, as a run's configuration takes it."""
        best = self.best
        candidate = self._candidate(best.model)
        chosen = candidate.settings(best.settings, best.seed)
        return {candidate.kind.__name__: {k: plain(v) for k, v in chosen.items() if v is not None}}

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> pd.DataFrame:
        """Return the best trial of every class beside the simple baselines, least error first.

        Columns: ``model``; ``kind`` (searched, or baseline: a searched one too); the error under its name;
        ``skill_vs_best_baseline``; ``trials``, ``seconds`` in all; ``number`` of its best trial.
        """
        lines: list[Settings] = []
        for label in [candidate.label for candidate in self.candidates]:
            mine = [row for row in self.rows if row.label == label and row.finished]
            best = self.best_of(label) if any(row.state == COMPLETE for row in mine) else None
            lines.append({
                "model": label, "kind": self._kind_of(label), self.metric: np.nan if best is None else best.value,
                "trials": len(mine), "seconds": sum(row.seconds for row in mine),
                "number": None if best is None else best.number,
            })  # fmt: skip
        lines += [{"model": name, "kind": "baseline", self.metric: v} for name, v in self.baselines.items()]
        board = pd.DataFrame(lines, columns=["model", "kind", self.metric, "trials", "seconds", "number"])
        least = min(self.all_baselines().values(), default=np.nan)
        skill = 1 - board[self.metric] / least if least > 0 else np.nan
        board.insert(3, "skill_vs_best_baseline", skill)
        board = board.astype({"trials": "Int64", "number": "Int64"})
        return board.sort_values(self.metric, kind="stable", ignore_index=True)

    def all_baselines(self) -> dict[str, float]:
        """Return the errors of the simple baselines, of those that were searched by their best trial.

        Returns
        -------
        dict
            Without those that have no error.
        """
        done = {row.label for row in self.rows if row.state == COMPLETE and self._kind_of(row.label) == "baseline"}
        errors = {**self.baselines, **{label: self.best_of(label).value for label in done}}
        return {name: value for name, value in errors.items() if np.isfinite(value)}

    def _kind_of(self, label: str) -> str:
        return "baseline" if is_baseline(self.default_of(label)) else "searched"

    def history(self) -> pd.DataFrame:
        """Return trial by trial the least error so far: ``number, model, value, best``."""
        done = self.trials.loc[self.trials["state"] == COMPLETE, ["number", "model", "value"]].reset_index(drop=True)
        return done.assign(best=done["value"].cummin())

    def importances(self, model: str | None = None) -> pd.DataFrame:
        """Return how much each setting of a class matters: ``parameter, importance``, most first, with sum one.

        Parameters
        ----------
        model : str, optional
            A class; the winner's by default.

        Notes
        -----
        PED-ANOVA (Watanabe et al. 2023): how far the best fifth of the trials differs from all in each setting. It has
        rows for the settings of completed trials inside the space; too few of these give zeros.
        """
        shares = self._importances(self._candidate(self.best.model if model is None else model))
        table = pd.DataFrame({"parameter": list(shares), "importance": list(shares.values())})
        return table.astype({"importance": float})

    def all_importances(self) -> dict[str, dict[str, float]]:
        """Return ``{class: {setting: importance}}`` of all classes; nothing without Optuna, which measures them."""
        return (
            {} if not has_optuna() else {candidate.label: self._importances(candidate) for candidate in self.candidates}
        )

    def _importances(self, candidate: Candidate) -> dict[str, float]:
        done = [row for row in self.rows if row.label == candidate.label and row.value is not None]
        return importances_of(candidate.space, [row.settings for row in done], [row.value or 0.0 for row in done])

    def plot(self, *, interactive: bool = False) -> Drawing:
        """Draw the error of each trial by its number, the least so far, and the best simple baseline.

        Parameters
        ----------
        interactive : bool
            Whether to return a plotly figure, with the settings of each trial under the pointer.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure

        Raises
        ------
        ConfigError
            When there is no trial.
        MissingExtraError
            For ``interactive=True`` without the package plotly.
        """
        from foretide.pictures.show import show
        from foretide.tuning.drawn import TrialTable, history_picture

        table = TrialTable(by_number(self.trials), self.metric, self.baselines)
        return show(history_picture(table), interactive=interactive)

    # ---------------------------------------------------------------- words and files
    def verdict(self) -> str:
        """Say whether the winner beats the best simple baseline on the inner folds, and what that is worth."""
        done = sum(row.value is not None for row in self.rows)
        if not done:
            return "No trial was completed."
        best, metric, n = self.best, self.metric.upper(), len(self.task.plan.folds)
        text = (
            f"{best.model} (trial {best.number}) is best of {done} completed trials: {metric} {best.value:.4g} "
            f"on {n} inner {'fold' if n == 1 else 'folds'}."
        )
        own = self._kind_of(best.model) == "baseline"
        baselines = {name: value for name, value in self.all_baselines().items() if name != best.model}
        itself = "It counts as a simple baseline itself; " if own else ""
        if not baselines:
            return f"{text} {f'{itself}no other' if own else 'No baseline'} was scored beside it. {CAUTION}"
        name, least = min(baselines.items(), key=lambda pair: pair[1])
        gain = 1 - best.value / least if least > 0 else None
        if own:
            judged = f"{itself}the best other one ({name}, {least:.4g}) {_beside(best.value, least)}."
        elif gain is None:
            judged = f"The best simple baseline ({name}) makes no error."
        elif gain > 0:
            judged = f"It beats the best simple baseline ({name}, {least:.4g}) by {100 * gain:.1f} %."
        else:
            judged = f"It does not beat the best simple baseline ({name}, {least:.4g}): take that one."
        return f"{text} {judged} {CAUTION}"

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``trials.csv`` and ``study.json`` (winner, data, folds, spaces, seeds, versions) to a folder."""
        path = Path(folder)
        whole = {
            column: "Int64" for column in self.trials.columns[len(FIXED) :]
            if all(isinstance(row.settings.get(column, 0), int) for row in self.rows)
        }  # fmt: skip
        write_csv(self.trials.astype(whole), path / TRIALS)
        complete = any(row.state == COMPLETE for row in self.rows)
        facts = {
            "name": self.name, "storage": self.storage, "metric": self.metric, "verdict": self.verdict(),
            "best": {**vars(self.best), "configuration": self.settings} if complete else None,
            "baselines": self.baselines, "notes": list(self.notes), "about": self.about,
            "versions": {**versions(), **({"optuna": get_optuna().__version__} if has_optuna() else {})},
        }  # fmt: skip
        write_text(path / STUDY, json.dumps(to_json(facts), indent=1))

    def __repr__(self) -> str:
        return f"Study({self.name}: {len(self.trials)} trials; {self.verdict()})"

    def _repr_html_(self) -> str:
        states = ", ".join(f"{n} {state}" for state, n in self.trials["state"].value_counts().items())
        counted = f"{len(self.trials)} trials{f': {states}' if states else ''}"
        board = self.leaderboard()
        for name in ("trials", "number"):  # to_html writes <NA> for a missing whole number, whatever na_rep says
            board[name] = ["" if pd.isna(n) else str(n) for n in board[name]]
        table = board.to_html(index=False, float_format=lambda x: f"{x:.4g}", na_rep="", border=0)
        return f"<div><p><b>{escape(self.verdict())}</b></p><p>{escape(counted)}</p>{table}</div>"

    # ---------------------------------------------------------------- inside
    def _candidate(self, label: str) -> Candidate:
        known = {candidate.label: candidate for candidate in self.candidates}
        if label not in known:
            raise ConfigError(f"No model {label!r} was searched. {nearest(label, known)}")
        return known[label]


def _beside(own: float, other: float) -> str:
    """Say how another error compares with one's own."""
    if own == other:
        return "has the same"
    if not own > 0:
        return "has more"
    return f"has {percent(abs(other / own - 1))} {'more' if other > own else 'less: take that one'}"


def importances_of(space: Space, settings: Sequence[Settings], values: Sequence[float]) -> dict[str, float]:
    """Return how much each setting of a space matters, most first, with sum one; see :meth:`Study.importances`.

    Parameters
    ----------
    space : dict
        Setting -> what it was chosen from.
    settings : sequence of dict
        Those of each completed trial.
    values : sequence of float
        Their errors.

    Returns
    -------
    dict
        Setting -> importance; without those that have one value only.
    """
    optuna, distributions = get_optuna(), distributions_of(space)
    with quiet():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for chosen, value in zip(settings, values, strict=True):
            params = params_of(space, chosen)
            if params:
                study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
        raw: dict[str, float] = {}
        if len(study.trials) > 1:
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            raw = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(float(raw.get(name, 0.0)) for name in distributions) or 1.0
    shares = {name: float(raw.get(name, 0.0)) / total for name in distributions}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))
