"""The command line as a shell shows it, in this process: starting another one takes seconds of imports."""

from __future__ import annotations

import io
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foretide.cli import main

SHELL = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""What Python does not show outside tests."""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def _shown(message: Any, kind: Any, file: str, line: int, *_: Any) -> None:
    sys.stderr.write(warnings.formatwarning(message, kind, file, line))


def foretide(*arguments: str, cwd: Path | None = None, code: int | tuple[int, ...] = 0, **environment: str) -> Done:
    """Run ``foretide`` with these words in a folder, and hold the exit code; what it warns of is on ``stderr``."""
    out, err, ended = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.resetwarnings()
        for kind in QUIET:
            warnings.simplefilter("ignore", kind)
        patch.setattr(warnings, "showwarning", _shown)
        patch.setattr(sys, "argv", ["foretide", *arguments])
        patch.setattr(sys.modules["__main__"], "__package__", None)  # or the program is called "python -m pytest"
        patch.chdir(cwd or Path.cwd())
        for name, value in {**SHELL, **environment}.items():
            patch.setenv(name, value)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                ended = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception:
                traceback.print_exc()
                ended = 1
    done = Done(ended, out.getvalue(), err.getvalue())
    assert ended in (code if isinstance(code, tuple) else (code,)), done.stdout + done.stderr
    return done
