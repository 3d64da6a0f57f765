"""How far a training has come, kept in the checkpoints of the work at hand, so that a killed one goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from foretide.data.checkpoints import Gradual, here
from foretide.data.digests import digest
from foretide.data.kept import Kept
from foretide.errors import WorkerDiedError
from foretide.training.saved import prefixed, under
from foretide.training.watch import Epoch

if TYPE_CHECKING:
    from foretide.training.config import Stage, TrainingConfig
    from foretide.training.loop import Learner
    from foretide.typing import Array

Batch = TypeVar("Batch")


class Best(NamedTuple):
    """The best a part has been: its parameters are copied, because the next step overwrites them."""

    epoch: int
    loss: float
    values: list[Tensor]


class Far(NamedTuple):
    """How far a training has come.

    Attributes
    ----------
    epochs : list of dict
        As of the history.
    best : dict
        Of each part.
    ended : bool
        Whether no epoch is left.
    """

    epochs: list[Epoch]
    best: dict[str, Best]
    ended: bool = False


class Keeper:
    """Keeps how far one training has come; does nothing where nothing is kept.

    Parameters
    ----------
    learner : Learner
        As it begins.
    schedule : TrainingConfig or Stage
    """

    def __init__(self, learner: Learner[Batch], schedule: TrainingConfig | Stage) -> None:
        self.learner, self.file = learner, Gradual(_name(learner, schedule))

    def found(self) -> Far | None:
        """Return how far an earlier process came, and put the learner there; None where there was none.

        Returns
        -------
        Far or None
        """
        kept = self.file.found()
        if kept is None:
            return None
        state = {name: torch.from_numpy(np.array(array)) for name, array in under("learner.", kept.arrays).items()}
        device = next(iter(next(iter(self.learner.parts.values()))), torch.empty(0)).device
        draw_on(state, device)
        self.learner.take_up(state)
        best = {}
        for part, (epoch, loss, count) in kept.facts["best"].items():
            values = [torch.from_numpy(kept.arrays[f"best.{part}.{k}"]).to(device) for k in range(count)]
            best[part] = Best(epoch, loss, values)
        return Far(cast("list[Epoch]", kept.facts["epochs"]), best, bool(kept.facts["ended"]))

    def keep(self, far: Far, *, at_once: bool = False) -> None:
        """Write a file where it is time for one, or at once.

        Parameters
        ----------
        far : Far
        at_once : bool
        """
        self.file.keep(lambda: self._packed(far), ended=far.ended or at_once)

    @contextmanager
    def safely(self, far: Far) -> Iterator[None]:
        """Go through an epoch, and keep what was there before where one of several processes does not come to its end.

        Parameters
        ----------
        far : Far
            Where the learner then is again.
        """
        try:
            yield
        except WorkerDiedError:
            self.keep(far, at_once=True)
            raise

    def _packed(self, far: Far) -> Kept:
        arrays = prefixed("learner.", _arrays({**self.learner.moving(), **draws()}))
        for part, best in far.best.items():
            arrays |= _arrays({f"best.{part}.{k}": value for k, value in enumerate(best.values)})
        about = {part: [best.epoch, best.loss, len(best.values)] for part, best in far.best.items()}
        return Kept(arrays, {"epochs": far.epochs, "best": about, "ended": far.ended})


def _name(learner: Learner[Batch], schedule: TrainingConfig | Stage) -> str:
    """Which training it is: by how many came before in the same work, and by how it begins."""
    place = here()
    if place is None:
        return ""
    begins = digest(learner.kind, schedule, _arrays(learner.moving()))
    return f"training-{place.number('training')}-{begins}"


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    return {name: value.detach().cpu().numpy() for name, value in tensors.items()}


def draws() -> dict[str, Tensor]:
    """The states of the generators that layers such as dropout draw from."""
    found = {"draws.cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        found["draws.cuda"] = torch.cuda.get_rng_state()
    return found


def draw_on(state: dict[str, Tensor], device: torch.device) -> None:
    """Let layers draw on from where they were; takes these states out of the others."""
    torch.set_rng_state(state.pop("draws.cpu"))
    cuda = state.pop("draws.cuda", None)
    if cuda is not None and device.type == "cuda":
        torch.cuda.set_rng_state(cuda)
