"""Processes that train together: how they find one another, add up tensors, and are told what to do next.

PyTorch's collectives (gloo on CPUs, nccl on GPUs) without its default group, which is left to whoever uses it.
The process of rank 0 was asked to train; it says what comes next, and the others follow.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import torch
from torch import Tensor

from foretide.errors import ConfigError
from foretide.parallel import jobs_here
from foretide.training.followers import FOR_EVER, PATIENCE, LostError

c10d: Any = torch.distributed
"""Its stubs leave out half of what is public in it."""
TOGETHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each of its processes."""


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
