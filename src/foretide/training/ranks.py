"""Processes that train together: how they find one another, add up tensors, and are told what to do next.

PyTorch's collectives (gloo on CPUs, nccl on GPUs) without its default group, which is left to whoever uses it.
The process of rank 0 was asked to train; it says what comes next, and the others follow.
"""

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
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from foretide.errors import ConfigError, WorkerDiedError
from foretide.parallel import Outcome, jobs_here, stream_tasks
from foretide.text import duration

c10d: Any = torch.distributed
"""Its stubs leave out half of what is public in it."""
PATIENCE = timedelta(minutes=5)
"""A process that does not come to a sum of tensors for so long is given up."""
FOR_EVER = timedelta(days=365)
"""How long a follower waits to be told what comes next: it is ended with the process that it follows."""
ENDING = 5.0
"""Seconds that followers get to end by themselves."""
ADVICE = (
    "It may have needed more memory than there is. Fit again, also with a lower `devices`; a job begun again goes on "
    "from the last epoch before."
)
TOGETHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each of its processes."""


Work: TypeAlias = tuple[Callable[[Any, int, Path], None], object]


class LostError(Exception):
    """Another process did not come to a collective."""


class Ranks:
    """The processes of one training, seen from one of them.

    Parameters
    ----------
    rank, size : int
        This one, and how many there are.
    store : Store
        Where all can read what one writes.
    device : torch.device
        Of this process.
    local : bool
        Whether all are on this machine and speak to one another over the loopback only.
    """

    def __init__(self, rank: int, size: int, store: Any, device: torch.device, *, local: bool) -> None:
        self.rank, self.size, self.device = rank, size, device
        self._store, self._number = store, 0
        self._group = _group(store, rank, size, device, local=local)

    def part(self, batch: Tensor) -> tuple[Tensor, bool]:
        """Return this process's part of a batch, and whether it has one: otherwise the first window stands in."""
        own = torch.tensor_split(batch, self.size)[self.rank]
        return (own, True) if len(own) else (batch[:1], False)

    def add(self, values: Tensor) -> None:
        """Replace a tensor, in place, by the sum of those of all processes.

        Raises
        ------
        LostError
            When one of them is gone.
        """
        try:
            self._group.allreduce([values]).wait()
        except RuntimeError as error:
            raise LostError(str(error)) from error

    def send(self, content: bytes = b"") -> bytes:
        """Return, in every process, what the one of rank 0 gives."""
        size = torch.tensor([len(content)], device=self.device)
        self._first(size)
        values = torch.empty(int(size), dtype=torch.uint8, device=self.device)
        if not self.rank:
            values = torch.frombuffer(bytearray(content), dtype=torch.uint8).to(self.device)
        self._first(values)
        return values.cpu().numpy().tobytes()

    def tell(self, deed: str) -> None:
        """Say what all do next; by the process of rank 0."""
        self._store.set(f"deed-{self._number}", deed)
        self._number += 1

    def heard(self) -> str:
        """Wait for what comes next; by the others."""
        deed: bytes = self._store.get(f"deed-{self._number}")
        self._number += 1
        return deed.decode()

    def close(self) -> None:
        """Leave, so that others that wait for this one do not wait for long."""
        self._group = None

    @staticmethod
    def silent(size: int, when: str) -> Exception:
        """Return the error for processes that are gone, where nothing more is known of them."""
        return WorkerDiedError(
            f"One of the {size} processes that train together ended {when}, or did not answer for "
            f"{duration(PATIENCE.total_seconds())}. {ADVICE}"
        )

    def _first(self, values: Tensor) -> None:
        try:
            self._group.broadcast(values, 0).wait()
        except RuntimeError as error:
            raise LostError(str(error)) from error


def _group(store: Any, rank: int, size: int, device: torch.device, *, local: bool) -> Any:
    kind = c10d.ProcessGroupNCCL if device.type == "cuda" else c10d.ProcessGroupGloo
    options = kind.Options() if device.type == "cuda" else kind._Options()
    options._timeout = PATIENCE
    if device.type != "cuda":
        options._devices = [kind.create_device(hostname="127.0.0.1") if local else kind.create_default_device()]
    return kind(store, rank, size, options)


# ---------------------------------------------------------------- how many, and where
def n_ranks(devices: int, device: torch.device) -> int:
    """Return how many processes train together for a setting: one inside a worker of a map.

    Parameters
    ----------
    devices : int
    device : torch.device

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        Where PyTorch cannot do it, for more than there are GPUs, and under torchrun for another number than its own.
    """
    if devices == 1 or (not torchrun() and jobs_here(devices) == 1):
        return 1
    if not c10d.is_available():
        raise ConfigError(f"devices={devices} needs a PyTorch with torch.distributed. Type devices=1.")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"devices={devices} works on CPUs and on CUDA, not on {device.type!r}. Type devices=1.")
    if torchrun():
        if (own := int(os.environ["WORLD_SIZE"])) != devices:
            raise ConfigError(f"devices={devices}, and torchrun has started {own} processes. Type devices={own}.")
    elif device.type == "cuda" and devices > (there := torch.cuda.device_count()):
        raise ConfigError(f"devices={devices}, and PyTorch sees {there} GPUs. Type devices={there}, or device='cpu'.")
    return devices


def torchrun() -> bool:
    """Whether torchrun, or something like it, has started this process beside others."""
    return all(name in os.environ for name in TOGETHER) and int(os.environ["WORLD_SIZE"]) > 1


def device_of(rank: int, device: torch.device) -> torch.device:
    """Return the device of a process: of GPUs the one of its number on its machine."""
    return torch.device("cuda", rank) if device.type == "cuda" else device


@cache
def _met() -> tuple[Any, int, int, list[int]]:
    """The processes of torchrun: where they meet, rank, size, and the trainings they have begun so far."""
    store, rank, size = next(iter(c10d.rendezvous("env://")))
    store.set_timeout(FOR_EVER)
    return store, rank, size, []


def met(device: torch.device) -> Ranks:
    """Return the processes of torchrun, each of which has come here."""
    store, rank, size, begun = _met()
    begun.append(len(begun))
    return Ranks(rank, size, c10d.PrefixStore(f"foretide-{begun[-1]}", store), device, local=False)


# ---------------------------------------------------------------- processes of this machine
class Followers:
    """Processes of this machine that run a function beside the process at hand, each with a rank from 1 on.

    Parameters
    ----------
    work : tuple
        ``function(shared, rank, folder)``, and the shared object, see :func:`foretide.parallel.map_tasks`.
    size : int
        How many there are with the process at hand.
    folder : Path
        Of what they share.
    threads : int
        Of each.
    """

    def __init__(self, work: Work, size: int, folder: Path, threads: int) -> None:
        self.work, self.size, self.folder, self.threads = work, size, folder, threads
        self.ended: dict[int, Outcome[None]] = {}
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="foretide-followers", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        others = range(1, self.size)
        try:
            for outcome in stream_tasks(
                _begin, others, shared=(*self.work, self.folder), n_jobs=len(others), executor="processes",
                threads=self.threads, retries=0, chunk=1,
            ):  # fmt: skip
                self.ended[outcome.index + 1] = outcome
        except BaseException as error:  # for the thread that waits, whatever it is
            self.error = error

    def meet(self, store: Any) -> None:
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
            return Ranks.silent(self.size, when)
        which = f"{'Process' if len(gone) == 1 else 'Processes'} {', '.join(map(str, gone))}"
        return WorkerDiedError(
            f"{which} of the {self.size} that train together (the first is 0) ended {when}. {ADVICE}"
        )

    def end(self) -> None:
        """Wait until all have ended, and end those that do not."""
        self.thread.join(ENDING)
        if self.thread.is_alive():
            for path in self.folder.glob("process-*"):
                with suppress(OSError, ValueError):
                    os.kill(int(path.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))
            self.thread.join(ENDING)


def _begin(work: tuple[Callable[[Any, int, Path], None], object, Path], rank: int) -> None:
    function, shared, folder = work
    (folder / f"process-{rank}").write_text(str(os.getpid()))
    function(shared, rank, folder)


@contextmanager
def followed(
    function: Callable[[Any, int, Path], None], shared: object, size: int, threads: int
) -> Iterator[Followers]:
    """Start processes of this machine that follow the one at hand, and end them afterwards.

    Parameters
    ----------
    function : callable
        ``function(shared, rank, folder)``.
    shared : object
    size, threads : int

    Yields
    ------
    Followers
    """
    folder = Path(tempfile.mkdtemp(prefix="foretide-ranks-"))
    followers = Followers((function, shared), size, folder, threads)
    try:
        yield followers
    finally:
        followers.end()
        shutil.rmtree(folder, ignore_errors=True)


def ranks_in(folder: Path, rank: int, size: int, device: torch.device, followers: Followers | None = None) -> Ranks:
    """Return the processes of this machine that share a folder; each of them calls this.

    Parameters
    ----------
    folder : Path
    rank, size : int
    device : torch.device
    followers : Followers, optional
        In the process of rank 0.

    Returns
    -------
    Ranks
    """
    store = c10d.FileStore(str(folder / "store"), size)
    store.set_timeout(FOR_EVER)
    if followers is not None:
        followers.meet(store)
    else:
        store.set(f"process-{rank}", "")
    return Ranks(rank, size, store, device, local=True)
