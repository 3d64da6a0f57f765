"""Where a study lives: a journal in a file, any database Optuna takes, or memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from foretide.data.files import file_name, storing
from foretide.errors import ConfigError, MissingExtraError
from foretide.tuning.journal import Journal, Store, Trial
from foretide.tuning.space import Settings, Space, distributions_of, params_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from foretide.typing import Json

FOLDER = "studies"
MEMORY = "memory"


@dataclass(frozen=True)
class Place:
    """A storage that is not open yet, so that it can be handed to another process.

    Attributes
    ----------
    where : str
        ``"memory"``, a path, or a database URL.
    """

    where: str

    @classmethod
    def of(cls, storage: str | os.PathLike[str] | None, name: str) -> Place:
        """Read the argument ``storage``; None: a journal of the study's name in the folder ``studies``."""
        if storage is None:
            return cls(str(Path(FOLDER) / f"{file_name(name)}.journal"))
        return cls(os.fspath(storage))

    @property
    def in_memory(self) -> bool:
        """Whether other processes cannot see it."""
        return self.where == MEMORY or self.where in ("sqlite://", "sqlite:///:memory:")

    @property
    def is_database(self) -> bool:
        """Whether it is a database's URL, which needs Optuna."""
        return "://" in self.where

    def open(self) -> Store:
        """Open it, and make it where there is none.

        Raises
        ------
        MissingExtraError
            Without Optuna, or the package of the database.
        ConfigError
            When the place holds something else, or the database refuses.
        """
        if self.where == MEMORY:
            return Journal(None)
        if self.is_database:
            return Database(_database(self.where))
        with storing(self.where, "What was written before is kept.", deed="open the journal"):
            path = Path(self.where)
            if path.is_dir():
                raise ConfigError(
                    f"storage={self.where!r} is a folder. Name a file in it, e.g. '{path / 'study.journal'}'."
                )
            return Journal(path)


def _database(url: str) -> BaseStorage:
    optuna = get_optuna(f"The storage {url!r}")
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage: BaseStorage = optuna.storages.get_storage(url)
    except ImportError as error:
        raise MissingExtraError(error.name or "a database driver", "tune", f"The storage {url!r}") from error
    except SQLAlchemyError as error:
        raise ConfigError(f"The storage {url!r} cannot be opened: {error}") from error
    return storage


class Database:
    """A store in a database that Optuna takes.

    Parameters
    ----------
    storage : BaseStorage
    """

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self._ended: dict[int, Trial] = {}

    def study(self, name: str) -> int:
        """Return a study's number; it is made where there is none."""
        get_optuna().create_study(study_name=name, storage=self.storage, load_if_exists=True)
        return int(self.storage.get_study_id_from_name(name))

    def attrs(self, study: int) -> Json:
        """Return what was noted about a study."""
        return dict(self.storage.get_study_user_attrs(study))

    def note(self, study: int, key: str, value: object) -> None:
        """Note something about a study."""
        self.storage.set_study_user_attr(study, key, value)

    def trials(self, study: int) -> Sequence[Trial]:
        """Return its trials, oldest first."""
        return [self._trial(trial) for trial in self.storage.get_all_trials(study, deepcopy=False)]

    def begin(self, study: int, settings: Settings, space: Space, attrs: Mapping[str, object]) -> int:
        """Write a running trial down in one piece; return its number."""
        optuna, params = get_optuna(), params_of(space, settings)
        distributions = {name: entry for name, entry in distributions_of(space).items() if name in params}
        template = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING, params=params, distributions=distributions, user_attrs=dict(attrs)
        )
        return int(self.storage.create_new_trial(study, template))

    def note_trial(self, trial: int, key: str, value: object) -> bool:
        """Note something about a trial; False where it has ended."""
        try:
            self.storage.set_trial_user_attr(trial, key, value)
        except get_optuna().exceptions.UpdateFinishedTrialError:
            return False
        return True

    def end(self, trial: int, state: str, value: float | None) -> bool:
        """End a trial; False where it has ended already."""
        optuna, values = get_optuna(), None if value is None else [value]
        try:
            return bool(self.storage.set_trial_state_values(trial, optuna.trial.TrialState[state], values))
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _trial(self, trial: FrozenTrial) -> Trial:
        number = int(trial._trial_id)
        if number in self._ended:
            return self._ended[number]
        begun = (trial.datetime_start or dt.datetime.now()).astimezone()
        ended = trial.datetime_complete
        found = Trial(
            number, trial.state.name, trial.value, trial.user_attrs, begun,
            None if ended is None else ended.astimezone(),
        )  # fmt: skip
        if found.is_finished:
            self._ended[number] = found
        return found


def get_optuna(purpose: str = "Searching for settings") -> ModuleType:
    """Import Optuna, or say how to install it."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise MissingExtraError("optuna", "tune", purpose) from error
    return optuna


def has_optuna() -> bool:
    """Whether Optuna can be imported."""
    try:
        get_optuna()
    except MissingExtraError:
        return False
    return True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna log warnings only, and leave its level as it was afterwards; nothing where it is not used."""
    optuna = sys.modules.get("optuna")
    if optuna is None:
        yield
        return
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
