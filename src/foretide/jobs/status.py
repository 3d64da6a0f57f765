"""What the status file of a folder says, and what else lies there."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.asides import asides_of
from foretide.data.files import PART
from foretide.jobs import store
from foretide.tuning.owner import is_alive

if TYPE_CHECKING:
    from foretide.typing import Json

STATUS = store.STATUS.file


def read_status(path: Path) -> Json | None:
    """Return what the status file of a run folder says, None where there is none that this version could have written.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict or None
    """
    try:
        found = json.loads((path / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("status"), str):
        return None
    files = found.get("files", [])
    return found if isinstance(files, list) and all(isinstance(name, str) for name in files) else None


def foreign(path: Path, status: Json) -> list[str]:
    """Return what lies in a run folder and was not written by a run; nothing where an old version did not note it.

    Parameters
    ----------
    path : path
    status : dict
        What ``status.json`` holds.

    Returns
    -------
    list of str
    """
    if "files" not in status or path.is_symlink():
        return []
    own = {STATUS, *status["files"]}
    return sorted(p.name for p in path.iterdir() if p.name not in own and not p.name.startswith(PART))


def is_empty(path: Path) -> bool:
    """Whether there is nothing, or a folder with no more in it than a killed run's temporary files."""
    if not os.path.lexists(path):
        return True
    return path.is_dir() and all(p.name.startswith(PART) for p in path.iterdir())


def set_aside_from(path: Path) -> Path | None:
    """Return what a killed run had set aside from a place, a finished run first."""
    found = [content for content in asides_of(path) if read_status(content) is not None]
    done = [content for content in found if (read_status(content) or {})["status"] == "finished"]
    return next(iter([*done, *found]), None)


def is_going_on(status: Json) -> bool:
    """Whether another process that wrote a status still runs, as far as this host can tell.

    Parameters
    ----------
    status : dict
        What ``status.json`` holds.

    Returns
    -------
    bool
    """
    pid = status.get("pid")
    return status["status"] == "running" and isinstance(pid, int) and pid != os.getpid() and bool(is_alive(status))


def now() -> str:
    """Return the time as text, with its zone."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
