"""Threads of the networks during a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from foretide.forecasters.base import Forecaster


@contextlib.contextmanager
def network_threads(models: Sequence[object], threads: int) -> Iterator[None]:
    """Give PyTorch so many threads while a run with networks lasts, and what it had afterwards.

    Small batches through small networks gain little from more than one, lose much where other work wants the cores
    (two threads beside two busy processes took 15 times as long as one), and repeat to the bit only at the same count.

    Parameters
    ----------
    models : sequence of object
    threads : int

    Yields
    ------
    None
    """
    if not any(has_network(model) for model in models):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_network(model: object) -> bool:
    """Whether a model is a network, or holds one.

    Parameters
    ----------
    model : object

    Returns
    -------
    bool
    """
    return bool(getattr(model, "neural", False))


def networks_in(models: Mapping[str, Forecaster], *, explained: bool = False) -> dict[str, Forecaster]:
    """Return the networks among forecasters and inside wrappers and ensembles.

    Parameters
    ----------
    models : mapping
        Name -> forecaster.
    explained : bool
        Only those that say something besides their inputs.

    Returns
    -------
    dict
        Name -> network: that of the wrapper, and of a member of an ensemble both, as ``Ensemble: Attention``.
    """
    found: dict[str, Forecaster] = {}
    for name, model in models.items():
        if model.neural and not model.parts and (model.explains or not explained):
            found[name] = model
        for k, part in enumerate(model.parts):
            own = name if model.nests == "model" else f"{name}: {part.name}"
            found |= networks_in({own if own not in found else f"{own} {k + 1}": part}, explained=explained)
    return found
