"""Threads of the networks during a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from foretide.forecasters.base import Forecaster
from foretide.pipeline.roster import Entry

NETWORKS = ("LSTM", "Attention", "LAVAR")


@contextlib.contextmanager
def network_threads(entries: Sequence[Entry], threads: int) -> Iterator[None]:
    """Give PyTorch so many threads while a run with networks lasts, and what it had afterwards.

    Small batches through small networks gain little from more than one, lose much where other work wants the cores
    (two threads beside two busy processes took 15 times as long as one), and repeat to the bit only at the same count.
    """
    if not any(has_network(entry.forecaster) for entry in entries):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_network(forecaster: Forecaster) -> bool:
    """Whether a forecaster, or one inside it, is a network."""
    if type(forecaster).__name__ in NETWORKS:
        return True
    inner = [*getattr(forecaster, "members", ()), getattr(forecaster, "inner", None)]
    return any(has_network(one) for one in inner if isinstance(one, Forecaster))
