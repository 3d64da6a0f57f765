"""Generators are made here and handed down; no global seed is ever set by a constructor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def numpy_generator(seed: int, *stream: int) -> np.random.Generator:
    """Return a generator for ``seed``; ``stream`` numbers give independent ones of the same seed."""
    # A list [seed, *stream] would do the same with and without a last stream of 0.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def torch_generator(seed: int) -> torch.Generator:
    """Return a CPU generator for ``seed``."""
    import torch

    return torch.Generator().manual_seed(seed)


@contextlib.contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Make layers built inside draw their initial weights from ``seed``, and leave the global state as it was.

    PyTorch's layers initialise from the global generator and take no other, and dropout draws from the generator of
    its device; this restores them afterwards. Accelerators count where they are in use already.
    """
    import torch

    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = list(range(torch.cuda.device_count())) if used else []
    with torch.random.fork_rng(devices=devices):
        seed_layers(seed)
        yield


def seed_layers(seed: int) -> None:
    """Make layers draw from ``seed`` from now on; inside :func:`seeded_init`, which undoes it, or in a worker."""
    import torch

    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    for generator in (torch.default_generator, *(torch.cuda.default_generators if used else ())):
        generator.manual_seed(seed)
