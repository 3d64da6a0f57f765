"""Who runs a trial, and whether that process is still there."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Owner(TypedDict):
    """What tells a process from all others."""

    host: str
    pid: int
    began: str | None
    """Boot and clock tick, where the system tells."""
    session: NotRequired[str]


def this_process() -> Owner:
    """Return what tells this process from all others: host, number, and when it began."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "began": _began(os.getpid())}


def is_alive(owner: Mapping[str, object]) -> bool | None:
    """Whether the process of a trial still runs; None where that cannot be known (another host, Windows)."""
    if owner.get("host") != socket.gethostname() or sys.platform == "win32":
        return None
    pid = owner["pid"]
    assert isinstance(pid, int)
    if owner.get("began") is not None:
        # A number is given again to a later process, the time it began is not.
        return bool(_began(pid) == owner["began"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _began(pid: int) -> str | None:
    """Return boot and clock tick at which a process began; None where the system does not tell or it has ended."""
    with contextlib.suppress(OSError, IndexError):
        # The name in brackets may hold blanks; state (Z: ended, not collected yet) is the first field after it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_BOOT.read_text(encoding='ascii').strip()}:{fields[19]}"
    return None
