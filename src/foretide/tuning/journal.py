"""The store of a study: a journal in a file or in memory. It is written in Optuna's format and needs no Optuna."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from foretide.errors import ConfigError
from foretide.tuning.space import Settings, Space, is_inside

if TYPE_CHECKING:
    from foretide.typing import Json

COMPLETE, PRUNED, FAIL, RUNNING = "COMPLETE", "PRUNED", "FAIL", "RUNNING"
_STATES = {0: RUNNING, 1: COMPLETE, 2: PRUNED, 3: FAIL, 4: "WAITING"}
_NUMBERS = {name: number for number, name in _STATES.items()}
_STUDY, _STUDY_ATTR, _TRIAL, _END, _TRIAL_ATTR = 0, 2, 4, 6, 8
"""Optuna's numbers of the operations that a study here consists of."""
_MINIMIZE = 1


@dataclass(frozen=True)
class Trial:
    """One trial as it is stored.

    Attributes
    ----------
    id : int
        In the order of all trials of the store.
    state : str
        ``COMPLETE``, ``PRUNED``, ``FAIL`` or ``RUNNING``.
    value : float or None
    attrs : mapping
        What was noted about it.
    begun, ended : datetime or None
        With a zone.
    """

    id: int
    state: str
    value: float | None
    attrs: Mapping[str, object]
    begun: dt.datetime
    ended: dt.datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.ended is not None


class Store(Protocol):
    """Where trials are written down: studies by name, trials by number, with attributes of both."""

    def study(self, name: str) -> int:
        """Return a study's number; it is made where there is none."""

    def attrs(self, study: int) -> Json:
        """Return what was noted about a study."""

    def note(self, study: int, key: str, value: object) -> None:
        """Note something about a study."""

    def trials(self, study: int) -> Sequence[Trial]:
        """Return its trials, oldest first."""

    def begin(self, study: int, settings: Settings, space: Space, attrs: Mapping[str, object]) -> int:
        """Write a running trial down in one piece; return its number."""

    def note_trial(self, trial: int, key: str, value: object) -> bool:
        """Note something about a trial; False where it has ended."""

    def end(self, trial: int, state: str, value: float | None) -> bool:
        """End a trial; False where it has ended already."""


@dataclass
class _Study:
    name: str
    attrs: Json = field(default_factory=dict)
    trials: list[int] = field(default_factory=list)


class Journal:
    """A journal: every change is a line at the end of a file, which several processes may write to.

    Parameters
    ----------
    path : path or None
        None: nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._worker = f"{uuid.uuid4()}-{os.getpid()}"
        self._studies: list[_Study] = []
        self._trials: list[Trial] = []
        self._offset = 0
        self._guard = threading.RLock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._drop_broken_line(path)

    # ---------------------------------------------------------------- the interface of Store
    def study(self, name: str) -> int:
        """Return a study's number; it is made where there is none."""
        with self._locked():
            if name not in (study.name for study in self._studies):
                self._write({"op_code": _STUDY, "study_name": name, "directions": [_MINIMIZE]})
            return next(k for k, study in enumerate(self._studies) if study.name == name)

    def attrs(self, study: int) -> Json:
        """Return what was noted about a study."""
        with self._guard:
            self._read()
            return self._studies[study].attrs

    def note(self, study: int, key: str, value: object) -> None:
        """Note something about a study."""
        with self._locked():
            self._write({"op_code": _STUDY_ATTR, "study_id": study, "user_attr": {key: value}})

    def trials(self, study: int) -> Sequence[Trial]:
        """Return its trials, oldest first."""
        with self._guard:
            self._read()
            return [self._trials[k] for k in self._studies[study].trials]

    def begin(self, study: int, settings: Settings, space: Space, attrs: Mapping[str, object]) -> int:
        """Write a running trial down in one piece; return its number."""
        known = {k: space[k] for k in settings if is_inside(space, settings) and space[k].size > 1}
        with self._locked():
            self._write(
                {
                    "op_code": _TRIAL, "study_id": study, "datetime_start": _now(), "state": _NUMBERS[RUNNING],
                    "value": None, "values": None, "user_attrs": dict(attrs), "system_attrs": {},
                    "intermediate_values": {},
                    "distributions": {name: json.dumps(entry.in_journal()) for name, entry in known.items()},
                    "params": {name: entry.number(settings[name]) for name, entry in known.items()},
                }
            )  # fmt: skip
            return len(self._trials) - 1

    def note_trial(self, trial: int, key: str, value: object) -> bool:
        """Note something about a trial; False where it has ended."""
        return self._update(trial, {"op_code": _TRIAL_ATTR, "trial_id": trial, "user_attr": {key: value}})

    def end(self, trial: int, state: str, value: float | None) -> bool:
        """End a trial; False where it has ended already."""
        values = None if value is None else [value]
        entry = {"op_code": _END, "trial_id": trial, "state": _NUMBERS[state], "values": values}
        return self._update(trial, {**entry, "datetime_complete": _now()})

    def _update(self, trial: int, entry: Json) -> bool:
        with self._locked():
            if self._trials[trial].is_finished:
                return False
            self._write(entry)
            return True

    # ---------------------------------------------------------------- the file
    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the journal, with all that others have written read."""
        with self._guard:
            if self.path is None:
                yield
                return
            lock = lock_of(self.path)
            lock.acquire()
            try:
                self._read()
                yield
            finally:
                lock.release()

    def _write(self, entry: Json) -> None:
        entry = json.loads(line := json.dumps({"worker_id": self._worker, **entry}, separators=(",", ":")))
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._offset = file.tell()
        self._apply(entry)

    def _read(self) -> None:
        """Take in what was written since the last look; a line without an end is not there yet."""
        if self.path is None or not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content.rfind(b"\n") + 1
        for line in content[:whole].splitlines():
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                raise ConfigError(f"{self.path} holds no study ({error}). Choose another path.") from error
        self._offset += whole

    def _drop_broken_line(self, path: Path) -> None:
        """Cut off a line that was not written whole: nobody was told it was there, and it would spoil the next one."""
        if not path.exists():
            return
        with path.open("rb+") as file:
            content = file.read()
            if content and not content.endswith(b"\n"):
                whole = content.rfind(b"\n") + 1
                if not whole:
                    raise ConfigError(f"{path} holds no study. Choose another path.")
                file.truncate(whole)

    def _apply(self, entry: Json) -> None:
        kind = entry["op_code"]
        if kind == _STUDY:
            if entry["study_name"] not in (study.name for study in self._studies):
                self._studies.append(_Study(entry["study_name"]))
        elif kind == _STUDY_ATTR:
            self._studies[entry["study_id"]].attrs.update(entry["user_attr"])
        elif kind == _TRIAL:
            self._studies[entry["study_id"]].trials.append(len(self._trials))
            state = _STATES[entry.get("state", 0)]
            begun = _time(entry.get("datetime_start")) or dt.datetime.now(dt.UTC)
            done = _time(entry.get("datetime_complete"))
            attrs = entry.get("user_attrs", {})
            self._trials.append(Trial(len(self._trials), state, entry.get("value"), attrs, begun, done))
        elif kind in (_END, _TRIAL_ATTR):
            before = self._trials[entry["trial_id"]]
            if before.is_finished:
                return
            if kind == _TRIAL_ATTR:
                after = replace(before, attrs={**before.attrs, **entry["user_attr"]})
            else:
                value = (entry["values"] or [before.value])[0]
                done = _time(entry.get("datetime_complete"))
                after = replace(before, state=_STATES[entry["state"]], value=value, ended=done)
            self._trials[entry["trial_id"]] = after


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


# -------------------------------------------------------------------- the lock
class _Flock:
    """A lock that the system takes back when its process dies, so that a killed one holds up nobody."""

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, -1

    def acquire(self) -> None:
        """Wait for the lock."""
        import fcntl

        self._file = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)


class _OpenLock:
    """A lock that is there while its file is: for Windows. One that nobody touched for a while is taken over."""

    STALE, PAUSE = 30.0, 0.005

    def __init__(self, path: Path) -> None:
        self.path = path

    def acquire(self) -> None:
        """Wait for the lock."""
        while True:
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                if self._is_stale():
                    self.release()
                time.sleep(self.PAUSE)
            else:
                return

    def release(self) -> None:
        """Give it back."""
        self.path.unlink(missing_ok=True)

    def _is_stale(self) -> bool:
        try:
            return time.time() - self.path.stat().st_mtime > self.STALE
        except FileNotFoundError:
            return False


def lock_of(path: Path) -> _Flock | _OpenLock:
    """Return the lock of a journal, a file beside it.

    Parameters
    ----------
    path : path

    Returns
    -------
    lock
    """
    place = path.with_name(f"{path.name}.lock")
    try:
        import fcntl  # noqa: F401
    except ModuleNotFoundError:  # Windows
        return _OpenLock(place)
    return _Flock(place)
