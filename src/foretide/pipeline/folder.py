"""A run folder: it says how far the run came, and no file in it is ever half-written."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretide.data.files import write_whole
from foretide.errors import ConfigError
from foretide.tuning.owner import is_alive, this_process

STATUS = "status.json"
UNFINISHED = "This run did not finish; what is here is whole, and something is missing."


@dataclass(frozen=True)
class RunFolder:
    """The folder a run writes to.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False) -> RunFolder:
        """Make the folder and mark it as running.

        A finished run is kept unless ``overwrite``, and then only set aside until the new one has finished.
        A folder that is no run folder is never touched. With ``resume`` what a run left there stays.

        Raises
        ------
        ConfigError
            When the folder holds a finished run, a run that is still going on, or something else.
        """
        path = Path(path)
        cls.refuse(path, overwrite=overwrite or resume)
        before = read_status(path)
        if before is not None and resume:
            (path / STATUS).unlink()
        elif before is not None and before["status"] == "finished":
            _remove(previous(path))
            path.rename(previous(path))
        elif path.exists():
            _remove(path)
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        folder.mark("running", started=_now(), **this_process(), note=UNFINISHED)
        return folder

    @staticmethod
    def refuse(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Raise the :class:`ConfigError` of :meth:`create` where it would, and change nothing."""
        path = Path(path)
        before = read_status(path)
        if path.exists() and before is None and (not path.is_dir() or any(path.iterdir())):
            raise ConfigError(f"{path} exists and is not a run folder. Choose another output.")
        if before is not None and before["status"] == "running" and _alive(before):
            raise ConfigError(f"A run is writing to {path} right now (process {before['pid']}). Choose another output.")
        if before is not None and before["status"] == "finished" and not overwrite:
            raise ConfigError(
                f"{path} holds a finished run, which is not overwritten. "
                "Choose another output (--out), or overwrite it (--overwrite)."
            )

    @contextmanager
    def writing(self) -> Iterator[RunFolder]:
        """Mark the folder by how the block ends: finished, interrupted (Ctrl-C) or failed."""
        try:
            yield self
        except KeyboardInterrupt:
            self.mark("interrupted", ended=_now(), note=UNFINISHED)
            raise
        except BaseException as error:
            self.mark("failed", ended=_now(), note=UNFINISHED, error=f"{type(error).__name__}: {error}")
            raise
        self.mark("finished", ended=_now(), note="Everything is here.", step=None)
        _remove(previous(self.path))

    @property
    def status(self) -> str:
        """``running``, ``finished``, ``interrupted`` or ``failed``."""
        found = read_status(self.path)
        return "unknown" if found is None else str(found["status"])

    def mark(self, status: str | None = None, **facts: Any) -> None:
        """Write the status and what else is to be known about it."""
        known = read_status(self.path) or {}
        known.update({"status": status} if status else {}, **facts)
        self.write_json(STATUS, {k: v for k, v in known.items() if v is not None})

    def write(self, name: str, writer: Callable[[Path], object]) -> Path:
        """Write one file under a temporary name with ``writer(path)``, then move it into place."""
        return write_whole(self.path / name, writer)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file (UTF-8)."""
        return self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON file that a person can read."""
        return self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_status(path: Path) -> dict[str, Any] | None:
    """Return what the status file of a run folder says, None where there is none."""
    try:
        found = json.loads((path / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "status" in found else None


def free_name(base: Path) -> Path:
    """Return the first of ``base``, ``base-2``, ``base-3`` … that is free."""
    candidate, k = base, 1
    while candidate.exists():
        k += 1
        candidate = base.with_name(f"{base.name}-{k}")
    return candidate


def previous(path: Path) -> Path:
    """Where a finished run lies aside while the one that replaces it is going on."""
    return path.with_name(f"{path.name}.previous")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _alive(status: dict[str, Any]) -> bool:
    """Whether the process that wrote a status still runs, as far as this host can tell."""
    pid = status.get("pid")
    return isinstance(pid, int) and pid != os.getpid() and bool(is_alive(status))


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
