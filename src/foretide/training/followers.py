"""Processes of this machine that follow the one at hand through a training; loads no PyTorch before they have begun."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from foretide.errors import WorkerDiedError
from foretide.parallel import Outcome, stream_tasks
from foretide.parallel.sharing import read_job, written_job
from foretide.text import duration

FOR_EVER = timedelta(days=365)
"""How long a follower waits to be told what comes next: it is ended with the process that it follows."""
PATIENCE = timedelta(minutes=5)
"""A process that does not come to a sum of tensors for so long is given up."""
ENDING = 5.0
"""Seconds that followers get to end by themselves."""
ADVICE = (
    "It may have needed more memory than there is. Fit again, also with a lower `devices`; a job begun again goes on "
    "from the last epoch before."
)
Function: TypeAlias = Callable[[Any, tuple[int, Any]], None]
"""Of what is shared, and of rank and store."""


class LostError(Exception):
    """Another process did not come to a collective."""


class Followers:
    """Processes of this machine, each with a rank from 1 on, that get ready and then run a function.

    They load what they need (PyTorch takes seconds) while the process at hand prepares what they will work on.

    Parameters
    ----------
    size : int
        How many there are with the process at hand.
    threads : int
        Of each.
    module : str
        What they load meanwhile.
    """

    def __init__(self, size: int, threads: int, module: str) -> None:
        self.size, self.threads, self.module = size, threads, module
        self.folder = Path(tempfile.mkdtemp(prefix="foretide-ranks-"))
        self.ended: dict[int, Outcome[None]] = {}
        self.error: BaseException | None = None
        self.called = False
        self.thread = threading.Thread(target=self._run, name="foretide-followers", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        others = range(1, self.size)
        try:
            for outcome in stream_tasks(
                _begin, others, shared=(self.folder, self.module), n_jobs=len(others), executor="processes",
                threads=self.threads, retries=0, chunk=1,
            ):  # fmt: skip
                self.ended[outcome.index + 1] = outcome
        except BaseException as error:  # for the thread that waits, whatever it is
            self.error = error

    @contextmanager
    def at_work(self, function: Function, shared: object) -> Iterator[Any]:
        """Let them run ``function(shared, (rank, store))``.

        Parameters
        ----------
        function : callable
        shared : object

        Yields
        ------
        Store
            Where all can read what one writes; all have come.
        """
        with written_job(function, shared) as job:
            store = _store(self.folder)
            store.set("job", str(job))
            self.called = True
            self._meet(store)
            yield store

    def _meet(self, store: Any) -> None:
        """Wait until all have begun; raises what kept one from it."""
        while not store.check([f"process-{rank}" for rank in range(1, self.size)]):
            if not self.thread.is_alive():
                raise self.error or self.lost("while they started")
            time.sleep(0.02)

    def lost(self, when: str) -> Exception:
        """Return the error for processes that did not come to the end: their own, or one that says which are gone."""
        self.thread.join(ENDING)
        for outcome in list(self.ended.values()):
            if outcome.error is not None and not isinstance(outcome.error, (WorkerDiedError, LostError)):
                return outcome.error if isinstance(outcome.error, Exception) else RuntimeError(repr(outcome.error))
        gone = [rank for rank, one in sorted(self.ended.items()) if isinstance(one.error, WorkerDiedError)]
        if not gone:
            return silent(self.size, when)
        which = f"{'Process' if len(gone) == 1 else 'Processes'} {', '.join(map(str, gone))}"
        return WorkerDiedError(
            f"{which} of the {self.size} that train together (the first is 0) ended {when}. {ADVICE}"
        )

    def end(self) -> None:
        """Wait until all have ended, and end those that do not, or were never called."""
        self.thread.join(ENDING if self.called else 0.0)
        last = time.monotonic() + ENDING
        while self.thread.is_alive() and time.monotonic() < last:
            for path in self.folder.glob("process-*"):
                with suppress(OSError, ValueError):
                    os.kill(int(path.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))
            self.thread.join(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)


def silent(size: int, when: str) -> Exception:
    """Return the error for processes that are gone, where nothing more is known of them."""
    return WorkerDiedError(
        f"One of the {size} processes that train together ended {when}, or did not answer for "
        f"{duration(PATIENCE.total_seconds())}. {ADVICE}"
    )


def _begin(shared: tuple[Path, str], rank: int) -> None:
    folder, module = shared
    (folder / f"process-{rank}").write_text(str(os.getpid()))
    store = _store(folder)
    import_module(module)
    function, given = read_job(Path(store.get("job").decode()))
    store.set(f"process-{rank}", "")
    function(given, (rank, store))


def _store(folder: Path) -> Any:
    from torch import distributed

    store: Any = distributed.FileStore(str(folder / "store"))  # type: ignore[attr-defined]
    store.set_timeout(FOR_EVER)
    return store
