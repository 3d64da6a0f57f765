"""What a search returns: the trials, the best model, and how it stands beside the simple baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.files import write_text, write_whole
from foretide.errors import ConfigError, ForetideError, nearest
from foretide.forecasters.artifact import to_json, versions
from foretide.tuning.candidates import Candidate, plain
from foretide.tuning.ledger import COMPLETE, FAILED, INTERRUPTED, WITHDRAWN, Row
from foretide.tuning.propose import distributions_of, params_of
from foretide.tuning.storage import get_optuna, quiet
from foretide.tuning.summary import study_verdict

if TYPE_CHECKING:
    from os import PathLike

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.tuning.objective import Task

COLUMNS = ("number", "model", "state", "value", "seconds", "seed", "error")
TRIALS, STUDY = "trials.csv", "study.json"


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
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Study:
    """A search, finished or stopped.

    Attributes
    ----------
    name, storage : str
        Of the study; with both, the same call goes on.
    metric : str
        What was made small.
    trials : DataFrame
        ``number, model, state, value, seconds, seed, error``, then one column per setting that was searched; ``state``
        is ``complete``, ``pruned``, ``failed``, ``interrupted`` or, of other processes, ``running``.
    baselines : dict
        Simple baseline -> its error on the same inner folds.
    notes : tuple of str
    about : dict
        Data, folds, classes, spaces, sampler, pruner and seed.
    task : Task
        Inner folds, their windows and measure.
    part : Panel
        The training part.
    """

    name: str
    storage: str
    metric: str
    trials: pd.DataFrame
    baselines: dict[str, float]
    notes: tuple[str, ...]
    about: dict[str, Any]
    task: Task
    part: Panel = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)
    _refitted: list[Forecaster] = field(default_factory=list, repr=False)

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
        number, row = self._best(model)
        assert row.value is not None
        return Best(row.label, number, row.value, row.seed, dict(row.settings))

    @property
    def best_model(self) -> Forecaster:
        """The best settings, refitted on the whole training part and nothing after it; fitted once."""
        if not self._refitted:
            self._refitted.append(self.unfitted().fit(self.part))
        return self._refitted[0]

    def unfitted(self, model: str | None = None) -> Forecaster:
        """Return an unfitted forecaster with the best settings, of one class or of all."""
        row = self._best(model)[1]
        return self._candidate(row.label).make(row.settings, row.seed)

    def default_of(self, model: str) -> Forecaster:
        """Return an unfitted forecaster with the settings of a class's first trial."""
        candidate = self._candidate(model)
        return candidate.make(candidate.start, self.about["seed"])

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """``{class: settings}`` of the winner, as a run's configuration takes it."""
        row = self._best()[1]
        candidate = self._candidate(row.label)
        chosen = candidate.settings(row.settings, row.seed)
        return {candidate.kind.__name__: {k: plain(v) for k, v in chosen.items() if v is not None}}

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> pd.DataFrame:
        """Return the best trial of every class beside the simple baselines, least error first.

        Columns: ``model``; ``kind`` (searched or baseline); the error under its name;
        ``skill_vs_best_baseline``; ``trials``, ``seconds`` in all; ``number`` of its best trial.
        """
        lines: list[dict[str, Any]] = []
        for candidate in self.candidates:
            mine = [row for row in self.rows if row.label == candidate.label and row.finished]
            done = [row for row in mine if row.state == COMPLETE]
            number, row = self._best(candidate.label) if done else (None, None)
            lines.append(
                {
                    "model": candidate.label, "kind": "searched", self.metric: np.nan if row is None else row.value,
                    "trials": len(mine), "seconds": sum(r.seconds for r in mine), "number": number,
                }
            )  # fmt: skip
        lines += [{"model": name, "kind": "baseline", self.metric: v} for name, v in self.baselines.items()]
        board = pd.DataFrame(lines, columns=["model", "kind", self.metric, "trials", "seconds", "number"])
        least = min(self.baselines.values(), default=np.nan)
        skill = 1 - board[self.metric] / least if least > 0 else np.nan
        board.insert(3, "skill_vs_best_baseline", skill)
        for name in ("trials", "number"):
            board[name] = board[name].astype("Int64")
        return board.sort_values(self.metric, kind="stable", ignore_index=True)

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
        label = model if model is not None else self._best()[1].label
        candidate = self._candidate(label)
        space = distributions_of(candidate)
        done = [row for row in self.rows if row.label == label and row.state == COMPLETE]
        found = _importances(candidate, done) if space else {}
        values = {name: float(found.get(name, 0.0)) for name in space}
        total = sum(values.values())
        table = pd.DataFrame({"parameter": list(values), "importance": list(values.values())})
        table["importance"] = table["importance"].astype(float) / (total if total > 0 else 1.0)
        return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)

    def all_importances(self) -> dict[str, dict[str, float]]:
        """Return ``{class: {setting: importance}}`` of all classes."""
        tables = {candidate.label: self.importances(candidate.label) for candidate in self.candidates}
        return {
            label: dict(zip(table["parameter"], table["importance"], strict=True)) for label, table in tables.items()
        }

    # ---------------------------------------------------------------- words and files
    def verdict(self) -> str:
        """Say whether the winner beats the best simple baseline on the inner folds, and what that is worth."""
        return study_verdict(self)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``trials.csv`` and ``study.json`` (winner, data, folds, spaces, seeds, versions) to a folder."""
        path = Path(folder)
        whole = {
            column: "Int64" for column in self.trials.columns[len(COLUMNS) :]
            if all(isinstance(row.settings.get(column, 0), int) for row in self.rows)
        }  # fmt: skip
        write_whole(path / TRIALS, lambda part: self.trials.astype(whole).to_csv(part, index=False))
        complete = any(row.state == COMPLETE for row in self.rows)
        told = {
            "name": self.name, "storage": self.storage, "metric": self.metric, "verdict": self.verdict(),
            "best": {**vars(self.best), "configuration": self.settings} if complete else None,
            "baselines": self.baselines, "notes": list(self.notes), "about": self.about,
            "versions": {**versions(), "optuna": get_optuna().__version__},
        }  # fmt: skip
        write_text(path / STUDY, json.dumps(to_json(told), indent=1))

    def __repr__(self) -> str:
        return f"Study({self.name}: {len(self.trials)} trials; {self.verdict()})"

    def _repr_html_(self) -> str:
        from html import escape

        states = ", ".join(f"{n} {state}" for state, n in self.trials["state"].value_counts().items())
        counted = f"{len(self.trials)} trials{f': {states}' if states else ''}"
        board = self.leaderboard()
        for name in ("trials", "number"):  # to_html writes <NA> for a missing whole number, whatever na_rep says
            board[name] = ["" if pd.isna(n) else str(n) for n in board[name]]
        table = board.to_html(index=False, float_format=lambda x: f"{x:.4g}", na_rep="", border=0)
        return f"<div><p><b>{escape(self.verdict())}</b></p><p>{escape(counted)}</p>{table}</div>"

    # ---------------------------------------------------------------- inside
    def _best(self, model: str | None = None) -> tuple[int, Row]:
        if model is not None:
            self._candidate(model)
        done = [
            (number, row) for number, row in enumerate(self.rows)
            if row.state == COMPLETE and row.value is not None and model in (None, row.label)
        ]  # fmt: skip
        if not done:
            errors = dict.fromkeys(row.error for row in self.rows if row.state == FAILED)
            said = f" What went wrong: {' '.join(list(errors)[:3])}" if errors else " Give it more trials or time."
            raise ForetideError(f"No trial of {model or 'the search'} was completed.{said}")
        return min(done, key=lambda pair: (pair[1].value, pair[0]))

    def _candidate(self, label: str) -> Candidate:
        known = {candidate.label: candidate for candidate in self.candidates}
        if label not in known:
            raise ConfigError(f"No model {label!r} was searched. {nearest(label, known)}")
        return known[label]


def trials_frame(rows: Sequence[Row], candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return the table of trials; ``rows`` without those that were withdrawn."""
    names = dict.fromkeys(name for candidate in candidates for name in candidate.space)
    lines = [
        {
            "number": number, "model": row.label, "state": row.state,
            "value": np.nan if row.value is None else row.value, "seconds": row.seconds, "seed": row.seed,
            "error": row.error, **{name: row.settings.get(name) for name in names},
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=[*COLUMNS, *names])
    frame["seed"] = frame["seed"].astype("Int64")
    return frame


def seen(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows of a table: all but those given back before they began."""
    return tuple(row for row in rows if row.state != WITHDRAWN)


def interrupted(rows: Sequence[Row]) -> int:
    """Return how many trials were interrupted."""
    return sum(row.state == INTERRUPTED for row in rows)


def _importances(candidate: Candidate, done: Sequence[Row]) -> Mapping[str, float]:
    optuna = get_optuna()
    space = distributions_of(candidate)
    with quiet():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for row in done:
            params = params_of(candidate, row.settings)
            if params:
                study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=row.value))
        if len(study.trials) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
        return found
