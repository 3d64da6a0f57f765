"""A run folder: it says how far the run came, and no file in it is ever half-written."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import pandas as pd

from foretide.data.asides import asides_of, drop, put_back, set_aside
from foretide.data.checkpoints import forget
from foretide.data.files import storage_error, storing, sweep, understood, write_whole
from foretide.errors import ArtifactError, ConfigError, ForetideError, StorageError
from foretide.jobs import store
from foretide.jobs.claim import Claim, TakenError
from foretide.jobs.status import STATUS, foreign, is_empty, is_going_on, now, read_status, set_aside_from
from foretide.jobs.store import EXPORT, Item
from foretide.tuning.owner import this_process

if TYPE_CHECKING:
    from foretide.typing import Json

T = TypeVar("T")
LOG = store.LOG.file
UNFINISHED = "This run did not finish; what is here is whole, and something is missing."


@dataclass(frozen=True)
class RunFolder:
    """The folder a run writes to.

    Attributes
    ----------
    path : Path
    claim : Claim, optional
        Held while a run writes to it.
    """

    path: Path
    claim: Claim | None = field(default=None, repr=False, compare=False)
    _kept: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Scorecards that were written here, by file: of many series it takes long to read one again."""

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False) -> RunFolder:
        """Make the folder and mark it as running.

        A finished run is kept unless ``overwrite``, and then only set aside until the new one has finished.
        A folder that is no run folder is never touched, nor are files in it that no run has written. With ``resume``
        what a run left there stays. A process killed anywhere in between leaves what the next call takes up.

        Parameters
        ----------
        path : path
        overwrite : bool
        resume : bool

        Returns
        -------
        RunFolder

        Raises
        ------
        ConfigError
            When the folder holds a finished run, a run that is still going on, or something else.
        StorageError
            Where it cannot be made; nothing has changed then.
        """
        path = Path(path)
        try:
            cls.refuse(path, overwrite=overwrite, resume=resume)
        except TakenError:
            raise
        except ConfigError:
            with contextlib.suppress(StorageError):
                Claim.on(path).release()  # taken where a quicker starter has not written its status yet
            raise
        claim = Claim.on(path)
        try:
            if is_empty(path) and (former := set_aside_from(path)) is not None:
                put_back(former, path)  # a run was killed while it was replacing this one
            cls.refuse(path, overwrite=overwrite, resume=resume)
            return cls._begin(path, claim, resume=resume)
        except BaseException:
            claim.release()
            raise

    @classmethod
    def _begin(cls, path: Path, claim: Claim, *, resume: bool) -> RunFolder:
        before = read_status(path)
        former = None if before is None or resume else set_aside(path)
        with storing(path, "Nothing was changed." if former is None else f"The run before lies in {former}."):
            path.mkdir(parents=True, exist_ok=True)
        if resume:
            sweep(path)
        was_finished = before is not None and before["status"] == "finished"
        known: Json = {"status": "running", "started": now(), **this_process(), "note": UNFINISHED}
        known["files"] = (before or {}).get("files", [LOG]) if resume else [LOG]
        known["previous"] = str(former) if former is not None and was_finished else (before or {}).get("previous")
        folder = cls(path, claim)
        folder._write_status(known)
        if former is not None and not was_finished:
            drop(former)
        return folder

    @staticmethod
    def refuse(path: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False) -> None:
        """Raise the :class:`ConfigError` of :meth:`create` where it would, and change nothing.

        Parameters
        ----------
        path : path
        overwrite : bool
        resume : bool
        """
        path = Path(path)
        with storing(path, deed="look at"):
            former = set_aside_from(path) if is_empty(path) else None
            present = path if former is None else former
            before = read_status(present)
            if before is None and not is_empty(path):
                raise ConfigError(f"{path} exists and is not a run folder. Choose another output.")
            if before is None:
                return
            if is_going_on(before):
                pid = before["pid"]
                raise TakenError(f"A run is writing to {path} right now (process {pid}). Choose another output.")
            if before["status"] == "finished" and not overwrite and not resume and former is not None:
                raise ConfigError(
                    f"A finished run of {path} lies in {former}: the run that was to replace it did not finish. "
                    "Replace it (--overwrite), move it elsewhere, or choose another output (--out)."
                )
            if before["status"] == "finished" and not overwrite and not resume:
                raise TakenError(
                    f"{path} holds a finished run, which is not overwritten. "
                    "Choose another output (--out), or overwrite it (--overwrite)."
                )
            strange = [] if resume else foreign(present, before)
            if strange:
                raise ConfigError(
                    f"{path} holds files that no run has written: {', '.join(strange[:3])}"
                    f"{' …' if len(strange) > 3 else ''}. Move them elsewhere, or choose another output."
                )

    @contextmanager
    def writing(self) -> Iterator[RunFolder]:
        """Mark the folder by how the block ends: finished, interrupted (Ctrl-C) or failed.

        Yields
        ------
        RunFolder

        Raises
        ------
        StorageError
            From an ``OSError`` inside, with what is kept.
        """
        try:
            yield self
            self.mark("finished", ended=now(), note="Everything is here.", step=None, previous=None)
        except KeyboardInterrupt:
            self._end("interrupted")
            raise
        except OSError as error:
            self._end("failed", error=f"{type(error).__name__}: {error}")
            if isinstance(error, ForetideError):
                raise
            place = error.filename if isinstance(error.filename, str) else str(self.path)
            raise storage_error(error, place, f"What was finished is kept in {self.path}.") from error
        except BaseException as error:
            self._end("failed", error=f"{type(error).__name__}: {error}")
            raise
        else:
            for former in asides_of(self.path):
                drop(former)
            forget(self.path / store.CHECKPOINTS)
        finally:
            if self.claim is not None:
                self.claim.release()

    def _end(self, status: str, **facts: object) -> None:
        """Mark how the run ended, while the error that ended it is on its way."""
        going = sys.exc_info()[1]
        try:
            self.mark(status, ended=now(), note=UNFINISHED, **facts)
        except StorageError as error:
            if going is not None:
                going.add_note(f"The folder could not be marked as {status}: {error}")

    @property
    def status(self) -> str:
        """``running``, ``finished``, ``interrupted`` or ``failed``."""
        found = read_status(self.path)
        return "unknown" if found is None else str(found["status"])

    def mark(self, status: str | None = None, **facts: object) -> None:
        """Write the status and what else is to be known about it.

        Parameters
        ----------
        status : str, optional
            What ``status.json`` holds.
        **facts : object
        """
        known = read_status(self.path) or {}
        known.update({"status": status} if status else {}, **facts)
        self._write_status(known)

    def place(self, name: str) -> Path:
        """Return where a file or folder of the run lies, and note that it is the run's own.

        Parameters
        ----------
        name : str

        Returns
        -------
        path
        """
        if self.claim is not None and not self.path.is_dir():
            raise StorageError(
                f"Could not write {self.path / name}: the folder of the run is gone. "
                "It was moved or removed while the run was writing to it; run again."
            )
        top, known = Path(name).parts[0], read_status(self.path)
        if known is not None and top != STATUS and top not in known.get("files", [top]):
            self._write_status({**known, "files": [*known["files"], top]})
        return self.path / name

    def keep(self, item: Item[T], value: T, **names: str) -> Path:
        """Write an item; a table that is read back gets its CSV for people beside it.

        Parameters
        ----------
        item : Item
            Of :data:`foretide.jobs.store.ITEMS`.
        value : object
            As its kind takes it.
        **names : str
            Of the model or the table, for items that there are several of.

        Returns
        -------
        Path
        """
        assert item.kind is not None
        places = item.places(**names)
        if item.kind.atomic:
            paths = [self.place(place) for place in places]
            item.kind.save(value, paths[0])
            self._kept[places[0]] = value
            return paths[0]
        for place in places[1:]:
            if isinstance(value, pd.DataFrame):
                self.write(place, partial(EXPORT.save, value))
        return self.write(places[0], partial(item.kind.save, value))

    def read(self, item: Item[T], **names: str) -> T | None:
        """Return an item as it was written, with its types; None where it is not there.

        Parameters
        ----------
        item : Item
        **names : str
            As for :meth:`keep`.

        Returns
        -------
        object or None
            What the item's kind holds.
        """
        assert item.kind is not None
        assert item.kind.load is not None, f"{item.file} is for people and never read back"
        place = item.places(**names)[0]
        path = self.path / place
        if not path.is_file():
            return None
        if place in self._kept:
            return cast("T", self._kept[place])
        with understood(path):
            return item.kind.load(path)

    def need(self, item: Item[T], **names: str) -> T:
        """Return an item as :meth:`read` does.

        Parameters
        ----------
        item : Item
        **names : str
            As for :meth:`keep`.

        Returns
        -------
        object

        Raises
        ------
        ArtifactError
            Where the folder does not hold it.
        """
        found = self.read(item, **names)
        if found is None:
            raise ArtifactError(f"{self.path} holds no {item.places(**names)[0]}, which has {item.about}.")
        return found

    def write(self, name: str, writer: Callable[[Path], object]) -> Path:
        """Write one file under a temporary name with ``writer(path)``, then move it into place.

        Parameters
        ----------
        name : str
        writer : callable

        Returns
        -------
        path
        """
        return write_whole(self.place(name), writer)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file (UTF-8).

        Parameters
        ----------
        name : str
        text : str

        Returns
        -------
        path
        """
        return self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def _write_status(self, known: Json) -> None:
        self.keep(store.STATUS, {k: v for k, v in known.items() if v is not None})
