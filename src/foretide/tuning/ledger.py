"""The trials of a search in its store: one sub-study per class, claims that no two processes share.

A trial is written in one piece, settings, seed and owner included, before it runs, and finished in one piece after;
whatever happens in between leaves a trial that is marked as running and whose owner is gone.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from foretide.errors import ConfigError
from foretide.forecasters.artifact import from_json, to_json
from foretide.tuning import journal
from foretide.tuning.journal import Store, Trial
from foretide.tuning.owner import is_alive, this_process
from foretide.tuning.space import Settings, Space, distributions_of, key_of, params_of
from foretide.tuning.storage import get_optuna

if TYPE_CHECKING:
    from optuna import Study as Mirror
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from foretide.typing import Json

ABOUT, BASELINES, END = "about", "baselines", "end"
COMPLETE, PRUNED, FAILED, INTERRUPTED, RUNNING, WITHDRAWN = (
    "complete", "pruned", "failed", "interrupted", "running", "withdrawn",
)  # fmt: skip
SILENT_HOURS, PATIENCE = 1.0, 20.0
"""A trial of another host counts as dead after so many hours, or times the longest trial so far where that is more."""


class Baseline(TypedDict):
    """How a simple baseline does on the inner folds."""

    value: float
    seconds: float


class Baselines(TypedDict):
    """Figures of the simple baselines, and what was left out."""

    figures: dict[str, Baseline]
    notes: list[str]


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes
    ----------
    id : int
        In the order of all trials of the storage.
    label : str
        Class it belongs to.
    state : str
        ``complete``, ``pruned``, ``failed``, ``interrupted``, ``running`` or ``withdrawn``.
    value : float or None
    seconds : float
        So far, for a running one.
    seed : int or None
    position : int
        How many trials of its class came before, those that were interrupted left out.
    settings : dict
        The searched settings.
    error : str
    owner : dict
    """

    id: int
    label: str
    state: str
    value: float | None
    seconds: float
    seed: int | None
    position: int
    settings: Settings
    error: str
    owner: Mapping[str, object]

    @property
    def counts(self) -> bool:
        """Whether it is one of the trials that were asked for."""
        return self.state not in (INTERRUPTED, WITHDRAWN)

    @property
    def finished(self) -> bool:
        """Whether it ended by itself."""
        return self.state in (COMPLETE, PRUNED, FAILED)

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        return key_of(self.settings)


def without_lost(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return trials without those that a process lost and that were run again: as if it had not been interrupted.

    Parameters
    ----------
    rows : sequence of Row

    Returns
    -------
    tuple of Row
    """
    again = {(row.label, row.key) for row in rows if row.counts}
    return tuple(row for row in rows if row.state != INTERRUPTED or (row.label, row.key) not in again)


class Ledger:
    """All trials of a search, by class.

    Parameters
    ----------
    store : Store
    name : str
        Of the whole study; that of a class is ``name/label``.
    labels : sequence of str
    """

    def __init__(self, store: Store, name: str, labels: Sequence[str]) -> None:
        self.store, self.name, self.labels = store, name, tuple(labels)
        self._head = store.study(name)
        self.ids = {label: store.study(f"{name}/{label}") for label in labels}
        self._ended: dict[int, Row] = {}
        self._session = uuid.uuid4().hex

    # ---------------------------------------------------------------- the study as a whole
    def agree(self, about: Mapping[str, object]) -> None:
        """Write down what the study is about; refuse one that is about something else."""
        own: Json = json.loads(json.dumps(to_json(dict(about))))
        known = self.store.attrs(self._head).get(ABOUT)
        if known is None:
            self.store.note(self._head, ABOUT, own)
            return
        differs = sorted(k for k in own.keys() | known.keys() if own.get(k) != known.get(k))
        if differs:
            raise ConfigError(
                f"The study {self.name!r} is another one: it differs in {', '.join(differs)}. Go on with the same "
                "data and settings, or choose another name (name=...) or storage."
            )

    def baselines(self, make: Callable[[], Baselines]) -> Baselines:
        """Return the figures of the simple baselines, made where nobody has made them yet."""
        stored: Baselines | None = self.store.attrs(self._head).get(BASELINES)
        if stored is None:
            stored = make()
            self.store.note(self._head, BASELINES, stored)
        return stored

    def rows(self) -> list[Row]:
        """Return all trials of all classes, oldest first."""
        trials = ((label, trial) for label, study in self.ids.items() for trial in self.store.trials(study))
        return sorted((self._row(label, trial) for label, trial in trials), key=lambda row: row.id)

    def _row(self, label: str, trial: Trial) -> Row:
        row = self._ended.get(trial.id) or _row(label, trial)
        if trial.is_finished:
            self._ended[trial.id] = row
        return row

    # ---------------------------------------------------------------- one trial
    def claim(
        self, label: str, settings: Mapping[str, object], space: Space, *, position: int, seed: int | None
    ) -> int:  # fmt: skip
        """Write a trial down as running in this process; return its id."""
        attrs = {
            "settings": to_json(dict(settings)), "position": position, "seed": seed,
            "owner": {**this_process(), "session": self._session},
        }  # fmt: skip
        return self.store.begin(self.ids[label], dict(settings), space, attrs)

    def reseed(self, trial: int, position: int, seed: int | None) -> None:
        """Give a trial the place it turned out to have."""
        self.store.note_trial(trial, "position", position)
        self.store.note_trial(trial, "seed", seed)

    def finish(
        self,
        trial: int,
        state: str,
        value: float | None = None,
        error: str = "",
        epochs: Mapping[int, float] | None = None,
        rungs: Mapping[str, object] | None = None,
    ) -> bool:
        """End a trial; False where another process had given it up.

        Parameters
        ----------
        trial : int
            Its id.
        state : str
        value : float, optional
            Of a complete trial.
        error : str
        epochs : mapping, optional
            Epoch -> validation error; the value of a pruned trial is the last of them.
        rungs : mapping, optional
            What the pruner noted about the trial.
        """
        kinds = {COMPLETE: journal.COMPLETE, PRUNED: journal.PRUNED}
        end: Json = {"outcome": state} if state not in kinds else {}
        end.update({"error": error} if error else {})
        if epochs:
            end.update({"epochs": {str(k): v for k, v in epochs.items()}, "rungs": dict(rungs or {})})
            value = epochs[max(epochs)] if state == PRUNED else value
        if end and not self.store.note_trial(trial, END, end):
            return False
        return self.store.end(trial, kinds.get(state, journal.FAIL), None if value is None else float(value))

    def curves(self, label: str, *, without: int | None = None) -> list[Mapping[int, float]]:
        """Return the validation errors by epoch of a class's completed trials.

        Parameters
        ----------
        label : str
        without : int, optional
            Id of a trial to leave out.
        """
        return [
            _epochs(trial) for trial in self.store.trials(self.ids[label])
            if trial.state == journal.COMPLETE and trial.id != without
        ]  # fmt: skip

    def mirror(
        self,
        label: str,
        space: Space,
        *,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | None = None,
        sampled: bool = False,
        without: int | None = None,
    ) -> Mirror:
        """Return a class's trials as an Optuna study in memory, for its samplers and pruners to look at.

        They write notes of their own beside the trials they judge. Here these cost nothing, and numbers count the
        trials that were asked for alone, so that an interruption changes nothing.

        Parameters
        ----------
        label : str
        space : dict
            What the class's settings are chosen from.
        sampler, pruner : optional
            Optuna's.
        sampled : bool
            Without the trials outside the space, and those that failed.
        without : int, optional
            Id of a trial to leave out.
        """
        optuna = get_optuna()
        study: Mirror = optuna.create_study(study_name=label, sampler=sampler, pruner=pruner)
        distributions = distributions_of(space)
        for trial in self.store.trials(self.ids[label]):
            row = self._row(label, trial)
            params = params_of(space, row.settings)
            left_out = row.id == without or (sampled and (row.state == FAILED or not params))
            if row.counts and not left_out:
                end: Json = dict(trial.attrs.get(END, {}))  # type: ignore[call-overload]
                copy = optuna.trial.create_trial(
                    state=optuna.trial.TrialState[trial.state], value=trial.value, params=params,
                    distributions={name: distributions[name] for name in params},
                    intermediate_values=dict(_epochs(trial)), system_attrs=end.get("rungs", {}),
                )  # fmt: skip
                study.add_trial(copy)
        return study

    def release(self) -> None:
        """Mark the trials that this ledger claimed and that still run as interrupted."""
        for row in self.rows():
            if row.state == RUNNING and row.owner.get("session") == self._session:
                self.finish(row.id, INTERRUPTED, error="interrupted")

    def reap(self) -> list[Row]:
        """Mark the trials whose process is gone as interrupted, and return them."""
        rows = self.rows()
        longest = max((row.seconds for row in rows if row.finished), default=0.0)
        patience = max(SILENT_HOURS * 3600, PATIENCE * longest)
        gone = []
        for row in rows:
            if row.state != RUNNING:
                continue
            alive = is_alive(row.owner) if row.owner else None
            lost = row.seconds > patience if alive is None else not alive
            if lost and self.finish(row.id, INTERRUPTED, error="interrupted: its process is gone"):
                gone.append(row)
        return gone


def _row(label: str, trial: Trial) -> Row:
    attrs: Json = dict(trial.attrs)
    end = attrs.get(END, {})
    if trial.state == journal.FAIL:
        named = end.get("outcome", FAILED)
    else:
        named = {journal.COMPLETE: COMPLETE, journal.PRUNED: PRUNED}.get(trial.state, RUNNING)
    ended = trial.ended or datetime.datetime.now(datetime.UTC)
    settings: Settings = from_json(attrs.get("settings", {}))
    return Row(
        trial.id, label, named, trial.value if named == COMPLETE else None,
        (ended - trial.begun).total_seconds(), attrs.get("seed"), int(attrs.get("position", 0)), settings,
        end.get("error", ""), attrs.get("owner", {}),
    )  # fmt: skip


def _epochs(trial: Trial) -> Mapping[int, float]:
    end: Json = dict(trial.attrs.get(END, {}))  # type: ignore[call-overload]
    return {int(k): float(v) for k, v in end.get("epochs", {}).items()}
