"""Where a study lives: Optuna's journal in a file, any database Optuna takes, or memory."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from foretide.data.files import file_name, storing
from foretide.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.storages.journal import JournalFileOpenLock

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

    def open(self) -> BaseStorage:
        """Open it, and make it where there is none.

        Raises
        ------
        MissingExtraError
            Without Optuna, or the package of the database.
        ConfigError
            When the place holds something else, or the database refuses.
        """
        optuna = get_optuna()
        if self.where == MEMORY:
            storage: BaseStorage = optuna.storages.InMemoryStorage()
            return storage
        if "://" in self.where:
            return self._database(optuna)
        with storing(self.where, "What was written before is kept.", deed="open the journal"):
            return self._journal(optuna)

    def _database(self, optuna: ModuleType) -> BaseStorage:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            storage: BaseStorage = optuna.storages.get_storage(self.where)
        except ImportError as error:
            raise MissingExtraError(error.name or "a database driver", "tune", f"The storage {self.where!r}") from error
        except SQLAlchemyError as error:
            raise ConfigError(f"The storage {self.where!r} cannot be opened: {error}") from error
        return storage

    def _journal(self, optuna: ModuleType) -> BaseStorage:
        path = Path(self.where)
        if path.is_dir():
            raise ConfigError(
                f"storage={self.where!r} is a folder. Name a file in it, e.g. '{path / 'study.journal'}'."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = optuna.storages.journal
        lock = _lock(path, journal)
        _drop_broken_line(path, lock)
        try:
            storage: BaseStorage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path} holds no study ({error}). Choose another path.") from error
        return storage


def get_optuna() -> ModuleType:
    """Import Optuna, or say how to install it."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise MissingExtraError("optuna", "tune", "Searching for settings") from error
    return optuna


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna log warnings only, and leave its level as it was afterwards."""
    optuna = get_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


class _Flock:
    """A lock that the system takes back when its process dies, so that a killed one holds up nobody."""

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, -1

    def acquire(self) -> bool:
        """Wait for the lock."""
        import fcntl

        self._file = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)


def _lock(path: Path, journal: ModuleType) -> _Flock | JournalFileOpenLock:
    try:
        import fcntl  # noqa: F401
    except ModuleNotFoundError:  # Windows
        windows: JournalFileOpenLock = journal.JournalFileOpenLock(str(path))
        return windows
    return _Flock(path.with_name(f"{path.name}.lock"))


def _drop_broken_line(path: Path, lock: _Flock | JournalFileOpenLock) -> None:
    """Cut off a line that was not written whole: nobody was told it was there, and it would spoil the next one."""
    if not path.exists():
        return
    lock.acquire()
    try:
        with path.open("rb+") as file:
            content = file.read()
            if content and not content.endswith(b"\n"):
                whole = content.rfind(b"\n") + 1
                if not whole:
                    raise ConfigError(f"{path} holds no study. Choose another path.")
                file.truncate(whole)
    finally:
        lock.release()
