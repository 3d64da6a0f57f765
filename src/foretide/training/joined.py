"""One network trained by several processes: each computes its part of a batch, and all move by the whole gradient."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from foretide.data.checkpoints import here
from foretide.data.digests import digest
from foretide.errors import ConfigError, TrainingError
from foretide.parallel.threads import limited
from foretide.seeding import seed_layers, torch_generator
from foretide.training.config import TrainingConfig
from foretide.training.followers import Followers, LostError, silent
from foretide.training.heap import kept_heap
from foretide.training.kept import draw_on, draws
from foretide.training.learner import Group, NetworkLearner, stretches
from foretide.training.loop import History
from foretide.training.ranks import Ranks, device_of, met, n_ranks, torchrun
from foretide.training.store import WindowBatches

EPOCH, LOOK, END, FAILED = "epoch", "look", "end", "failed"
"""What the process of rank 0 says."""


class JoinedLearner(NetworkLearner):
    """A network moved by the gradient of the whole batch, of which each process computes its part.

    Parameters and moments are the same in all processes. What draws at random in a layer (dropout) draws otherwise in
    each of them; all else gives, rounding apart, what one process gives.

    Parameters
    ----------
    network : nn.Module
    windows : pair of WindowBatches
    config : TrainingConfig
    groups : sequence of dict
    generator : torch.Generator
    ranks : Ranks
    shares : bool
        Whether all processes want what comes of it.
    """

    def __init__(
        self, network: nn.Module, windows: tuple[WindowBatches, WindowBatches | None], config: TrainingConfig,
        groups: Sequence[Group], generator: torch.Generator, ranks: Ranks, *, shares: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(network, windows, config, groups, generator)
        self.ranks, self.shares = ranks, shares
        self.who: Callable[[str], Exception] = partial(silent, ranks.size)
        """Makes the error for processes that are gone, of when it was."""
        self.epoch, self._began = 0, b""
        sizes = [parameter.numel() for parameter in self.moved]
        self._whole = self.moved[0].new_zeros(sum(sizes) + 2, requires_grad=False)
        *parts, self._loss, self._count = torch.split(self._whole, [*sizes, 1, 1])
        self._parts = [part.view_as(p) for part, p in zip(parts, self.moved, strict=True)]

    @property
    def leads(self) -> bool:
        """Whether this process decides, keeps and shows."""
        return not self.ranks.rank

    @property
    def kind(self) -> str:
        """What one process goes on with where several were, and the reverse."""
        return NetworkLearner.__qualname__

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Let the others end where this does not come to its end."""
        try:
            yield
        except BaseException:
            self.ranks.tell(FAILED)
            self.ranks.close()
            raise

    def ended(self, history: History) -> History:
        """Let the others end, too, with what came of it where they want it."""
        self.ranks.tell(END)
        return self._shared(history) if self.shares else history

    def batches(self) -> Sequence[Tensor]:
        """Begin an epoch at the same place in all processes."""
        if self.leads:
            self._began = save(_portable(self.moving() | draws()))
            self.epoch += 1
            self.ranks.tell(EPOCH)
            try:
                self.ranks.send(self._began)
            except LostError as error:
                self._lose(error)
        return super().batches()

    def gradient(self, batch: Tensor) -> Tensor:
        """Sum the gradients of all parts, each weighted by what was observed in it; return the joined loss."""
        own, counts = self.ranks.part(batch)
        inputs, labels = self.windows.batch(own)
        observed: Tensor | int = labels.y.numel() if labels.observed is None else labels.observed.sum()
        weight = observed if counts else 0
        loss: Tensor = self.network.loss(inputs, labels) * weight  # type: ignore[operator]
        for parameter in self.moved:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        self._whole.zero_()
        learning = [(p, part) for p, part in zip(self.moved, self._parts, strict=True) if p.grad is not None]
        for parameter, part in learning:
            part.copy_(parameter.grad)  # type: ignore[arg-type]
        self._loss.copy_(loss.detach())
        self._count.fill_(weight)
        self._add(self._whole)
        self._whole[:-1] /= self._count.clamp(min=1)
        for parameter, part in learning:
            parameter.grad.copy_(part)  # type: ignore[union-attr]
        return self._loss[0].clone()

    def look(self, validation: WindowBatches) -> tuple[list[float], list[int]]:
        """Share the stretches among the processes."""
        if self.leads:
            self.ranks.tell(LOOK)
        found = torch.tensor(stretches(self.averaged, validation, turn=(self.ranks.rank, self.ranks.size)))
        found = found.to(self.ranks.device, torch.float64)
        self._add(found)
        means, counts = found.tolist()
        return means, [int(count) for count in counts]

    def follow(self) -> History | None:
        """Do what the process of rank 0 does, until it ends; return the history where it shares it."""
        while (deed := self.ranks.heard()) not in (END, FAILED):
            if deed == EPOCH:
                self._put(self.ranks.send())
                for batch in super().batches():
                    self.step(batch)
            elif self.validation is not None:
                self.look(self.validation)
        if deed == FAILED:
            raise TrainingError("The process of rank 0 ended with an error while several trained together. See there.")
        return self._shared(None) if self.shares else None

    def _shared(self, history: History | None) -> History:
        content = b"" if history is None else json.dumps(vars(history)).encode()
        found = History(**json.loads(self.ranks.send(content)))
        state = b"" if history is None else save(_portable(self.averaged.state_dict()))
        self.averaged.load_state_dict(load(self.ranks.send(state)))
        return found

    def _add(self, values: Tensor) -> None:
        try:
            self.ranks.add(values)
        except LostError as error:
            self._lose(error)

    def _lose(self, error: LostError) -> NoReturn:
        """Go back to where the epoch began, so that this is what is kept, and say who is gone."""
        if not self.leads:
            raise error
        if self._began:
            self._put(self._began)
        raise self.who(f"in epoch {self.epoch}" if self.epoch else "before the first epoch") from error

    def _put(self, content: bytes) -> None:
        state = load(content)
        drawn = {name: state.pop(name) for name in list(state) if name.startswith("draws.")}
        self.take_up(state)
        if self.leads:
            draw_on(drawn, self._whole.device)
        else:  # other masks than those of rank 0, and the same after a new start
            seed_layers(int(digest(drawn["draws.cpu"].numpy(), self.ranks.rank)[:15], 16))


def _portable(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of their own, as safetensors wants them."""
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}


# ---------------------------------------------------------------- who trains
@dataclass(frozen=True)
class Parcel:
    """What a process needs to follow a training.

    Attributes
    ----------
    network : nn.Module
        On the CPU.
    windows : pair of WindowBatches
    config : TrainingConfig
    groups : list of dict
        With the names of parameters.
    device : str
        Kind of device.
    """

    network: nn.Module
    windows: tuple[WindowBatches, WindowBatches | None]
    config: TrainingConfig
    groups: list[dict[str, Any]]
    device: str

    @classmethod
    def of(cls, learner: NetworkLearner) -> Parcel:
        """Pack what a learner has; it stays where it is."""
        network, device = learner.network, learner.moved[0].device
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        groups = [
            {**group, "params": [names[id(p)] for p in group["params"]]} for group in learner.optimizer.param_groups
        ]
        packed = network if device.type == "cpu" else copy.deepcopy(network).cpu()
        return cls(packed, (learner.windows, learner.validation), learner.config, groups, device.type)

    def follow(self, place: tuple[int, Any]) -> None:
        """Take part in the training as one of its processes, of which rank and store are told."""
        rank, store = place
        device = device_of(rank, torch.device(self.device))
        if device.type == "cuda":
            torch.cuda.set_device(device)
        network = self.network.to(device)
        for some in self.windows:
            if some is not None:
                some.to(device)
        own = dict(network.named_parameters())
        groups = [Group(**{**group, "params": [own[name] for name in group["params"]]}) for group in self.groups]  # type: ignore[typeddict-item]
        ranks = Ranks(rank, self.config.devices, store, device, local=True)
        with kept_heap():
            JoinedLearner(network, self.windows, self.config, groups, torch_generator(0), ranks).follow()


@contextmanager
def others(devices: int, device: torch.device) -> Iterator[Followers | None]:
    """Start the processes of this machine that a training will need, so that they get ready while it is prepared.

    Parameters
    ----------
    devices : int
        The setting.
    device : torch.device

    Yields
    ------
    Followers or None
        None where one process trains, and under torchrun, which has started them.

    Raises
    ------
    ConfigError
        See :func:`foretide.training.ranks.n_ranks`.
    """
    size = n_ranks(devices, device)
    if size == 1 or torchrun():
        yield None
        return
    followers = Followers(size, max(1, torch.get_num_threads() // size), __name__)
    try:
        yield followers
    finally:
        followers.end()


@contextmanager
def joined_learner(
    network: nn.Module, windows: tuple[WindowBatches, WindowBatches | None], config: TrainingConfig,
    groups: Sequence[Group], generator: torch.Generator, followers: Followers | None = None,
) -> Iterator[NetworkLearner]:  # fmt: skip
    """Give the learner of a training by one process, or by several.

    Under torchrun each process calls this, and gets one that follows where its rank is not 0.

    Parameters
    ----------
    network : nn.Module
    windows : pair of WindowBatches
    config : TrainingConfig
    groups : sequence of dict
    generator : torch.Generator
    followers : Followers, optional
        Of :func:`others`.

    Yields
    ------
    NetworkLearner
    """
    device = next(network.parameters()).device
    alone = NetworkLearner(network, windows, config, groups, generator)
    if followers is not None:
        with followers.at_work(Parcel.follow, Parcel.of(alone)) as store, limited(followers.threads):
            ranks = Ranks(0, followers.size, store, device, local=True)
            learner = JoinedLearner(network, windows, config, groups, generator, ranks)
            learner.who = followers.lost
            with learner.leading():
                yield learner
    elif torchrun() and n_ranks(config.devices, device) > 1:
        if here() is not None:
            raise ConfigError(
                f"A job starts its processes itself. Type devices={config.devices} without torchrun, which is for "
                "scripts of your own that call fit."
            )
        learner = JoinedLearner(network, windows, config, groups, generator, met(device), shares=True)
        with learner.leading() if learner.leads else nullcontext():
            yield learner
    else:
        yield alone
