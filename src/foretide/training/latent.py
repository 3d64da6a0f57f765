"""Stage 1 of LAVAR, and what stage 2 reads from it: latent paths and rolled-out states, each computed once.

Rows of all entities stand one after the other in one tensor. A batch is one stretch of neighbouring cutoffs (or a few
short ones), because neighbouring windows share almost all their rows and each row is encoded once per batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foretide.errors import ConfigError
from foretide.models.latent import LatentModel
from foretide.training.config import Stage
from foretide.training.fused.flat import Flat
from foretide.training.fused.latent import Stage1Gradient
from foretide.training.loop import History, train
from foretide.training.stage import StageLearner
from foretide.training.watch import EpochCallback

CHUNK = 4096


@dataclass(frozen=True)
class Stretch:
    """Neighbouring cutoffs of one entity.

    Attributes
    ----------
    first : int
        Row of the first cutoff; the ``order`` rows before it belong to the same entity.
    count : int
        Number of cutoffs; the ``h`` rows after the last one belong to the same entity too.
    name : str
        The entity, for error messages.
    """

    first: int
    count: int
    name: str = ""


@dataclass(frozen=True, eq=False)
class Pieces:
    """A batch: some stretches and the slices of rows they need."""

    stretches: tuple[Stretch, ...]

    def rows(self, x: Tensor, model: LatentModel) -> list[Tensor]:
        """Rows of each stretch, as many before and after its cutoffs as a window needs."""
        low, high = model.config.order, model.h
        return [x[s.first - low : s.first + s.count + high] for s in self.stretches]

    @property
    def counts(self) -> list[int]:
        """Cutoffs of each stretch."""
        return [s.count for s in self.stretches]

    @property
    def count(self) -> int:
        """Cutoffs."""
        return sum(self.counts)


def train_latent(
    model: LatentModel,
    x: Tensor,
    train_on: Sequence[Stretch],
    validation: Sequence[Stretch],
    stage: Stage,
    *,
    generator: torch.Generator,
    on_epoch: EpochCallback | None = None,
) -> History:
    """Train in place by the loss of stage 1 and leave the model in its best validation state.

    Parameters
    ----------
    model : LatentModel
    x : float tensor ``[R, C]``
        Covariates, entities one after the other, without gaps; on the model's device.
    train_on, validation : sequence of Stretch
        Where the cutoffs are. Without validation the last state is kept.
    stage : Stage
    generator : torch.Generator
        Moves the borders between batches and orders them, every epoch anew; a CPU generator on every device.
    on_epoch : callable, optional
        Called after each epoch with its row of the history.

    Raises
    ------
    ConfigError
        When a stretch reaches outside ``x``, or nothing learns.
    TrainingError
        When a loss is not finite; the message names epoch, batch and rows.
    """
    _check(model, x, (*train_on, *validation))
    if not train_on:
        raise ConfigError(
            f"{stage.name} has no training windows: each needs order + h = {model.surplus} rows around its cutoff. "
            "Give longer series, or lower order or h."
        )
    learning = [p for name, p in model.named_parameters() if not stage.learns or name.startswith(stage.learns)]
    if not learning:
        names = sorted({name.split(".")[0] for name, _ in model.named_parameters()})
        raise ConfigError(f"No parameter's name begins with one of {list(stage.learns)}. Known: {', '.join(names)}.")
    frozen = [p for p in model.parameters() if p.requires_grad and all(p is not q for q in learning)]
    for parameter in frozen:
        parameter.requires_grad_(False)
    flat = Flat(learning)
    try:
        return train(LatentLearner(model, x, (train_on, validation), flat, stage, generator), stage, on_epoch=on_epoch)
    finally:
        flat.release()
        for parameter in frozen:
            parameter.requires_grad_(True)
        model.eval()


class LatentLearner(StageLearner["Pieces"]):
    """Learns encoder, decoder and dynamics by the loss of stage 1.

    Parameters
    ----------
    model : LatentModel
    x : float tensor ``[R, C]``
    stretches : pair of sequences of Stretch
        For training and for validation.
    flat : Flat
    stage : Stage
    generator : torch.Generator
    """

    def __init__(
        self,
        model: LatentModel,
        x: Tensor,
        stretches: tuple[Sequence[Stretch], Sequence[Stretch]],
        flat: Flat,
        stage: Stage,
        generator: torch.Generator,
    ) -> None:
        super().__init__(flat, stage, generator)
        self.model, self.x, self.ready = model, x, model.autoencoder.without_zeros(x)
        self.stretches, self.validation = stretches
        self.parts = {"latent": [flat.whole]}
        self.loss_and_gradient = Stage1Gradient(model, flat)

    def batches(self) -> Sequence[Pieces]:
        """Stretches cut at borders drawn anew."""
        self.model.train()
        return batches(self.stretches, self.stage.batch_size, self.generator)[: self.stage.steps]

    def gradient(self, batch: Pieces) -> Tensor:
        """Of the rows as they are and as the encoder gets them."""
        return self.loss_and_gradient(batch.rows(self.x, self.model), batch.rows(self.ready, self.model), batch.counts)

    def validate(self) -> dict[str, float]:
        """Mean loss over all cutoffs."""
        return {"latent": evaluate_latent(self.model, self.x, self.validation)} if self.validation else {}

    def weight(self, batch: Pieces) -> float:
        """Count cutoffs."""
        return float(batch.count)

    def describe(self, batch: Pieces) -> str:
        """Series and rows."""
        shown = [
            (f"series {s.name!r}, " if s.name else "") + f"cutoffs at rows {s.first} to {s.first + s.count - 1}"
            for s in batch.stretches[:3]
        ]
        return "; ".join(shown) + (f" and {len(batch.stretches) - 3} more" if len(batch.stretches) > 3 else "")

    @property
    def advice(self) -> tuple[str, str]:
        """Name the settings that keep a loss finite."""
        return f"loss of {self.stage.name}", f"Lower lr (now {self.stage.lr:g}), set clip=1.0 or stable=True"


@torch.no_grad()
def evaluate_latent(model: LatentModel, x: Tensor, stretches: Sequence[Stretch]) -> float:
    """Mean loss of stage 1 over all cutoffs of some stretches, every row encoded once."""
    model.eval()
    total = x.new_zeros(())
    cut = [Stretch(s.first + low, min(CHUNK, s.count - low)) for s in stretches for low in range(0, s.count, CHUNK)]
    for batch in _packed(cut, CHUNK):
        total += batch.count * model.stage1_loss(torch.cat(batch.rows(x, model)), batch.counts)
    return float(total) / sum(s.count for s in stretches)


def batches(stretches: Sequence[Stretch], size: int, generator: torch.Generator) -> list[Pieces]:
    """Cut stretches into pieces of ``size`` cutoffs at borders drawn anew, and put them in a new order.

    Pieces shorter than ``size`` share a batch as long as they fit into it together. Every cutoff comes once.
    """
    pieces = []
    for s in stretches:
        low, high = 0, int(torch.randint(1, size + 1, (), generator=generator))
        while low < s.count:
            high = min(high, s.count)
            pieces.append(Stretch(s.first + low, high - low, s.name))
            low, high = high, high + size
    order = torch.randperm(len(pieces), generator=generator).tolist()
    packed = _packed([pieces[i] for i in order], size)
    # Packing moves short pieces to the end; a second shuffle takes that order away again.
    return [packed[i] for i in torch.randperm(len(packed), generator=generator).tolist()]


def _packed(pieces: Sequence[Stretch], size: int) -> list[Pieces]:
    full = [Pieces((piece,)) for piece in pieces if piece.count >= size]
    held: list[Stretch] = []
    count = 0
    for piece in pieces:
        if piece.count >= size:
            continue
        if count + piece.count > size:
            full.append(Pieces(tuple(held)))
            held, count = [], 0
        held.append(piece)
        count += piece.count
    return [*full, Pieces(tuple(held))] if held else full


@torch.no_grad()
def latent_path(model: LatentModel, x: Tensor) -> Tensor:
    """Covariates ``[R, C]`` -> latent states ``[R, K]``, in evaluation mode and without gradients."""
    model.eval()
    return (
        torch.cat([model.encode(part) for part in torch.split(x, CHUNK)])
        if len(x)
        else x.new_zeros(0, model.config.latent)
    )


@torch.no_grad()
def rolled_out(model: LatentModel, z: Tensor, cutoffs: Tensor, h: int | None = None) -> Tensor:
    """Latent path ``[R, K]`` and rows of cutoffs ``[W]`` -> the ``h`` states after each, ``[W, h, K]``.

    The window of cutoff ``t`` is ``z_{t-p+1} .. z_t``; nothing after it is read. ``h`` is the model's by default.
    """
    model.eval()
    p, h = model.config.order, model.h if h is None else h
    if len(cutoffs) and (int(cutoffs.min()) < p - 1 or int(cutoffs.max()) >= len(z)):
        raise ConfigError(
            f"Cutoffs must be rows {p - 1} to {len(z) - 1} (order={p} states end at each), "
            f"got {int(cutoffs.min())} to {int(cutoffs.max())}."
        )
    back = torch.arange(1 - p, 1, device=z.device)
    parts = [model.rollout(z[part[:, None] + back], h) for part in torch.split(cutoffs.to(z.device), CHUNK)]
    return torch.cat(parts) if len(cutoffs) else z.new_zeros(0, h, z.shape[1])


def _check(model: LatentModel, x: Tensor, stretches: Sequence[Stretch]) -> None:
    if x.ndim != 2 or x.shape[1] != model.channels:
        raise ConfigError(f"Expected covariates [R, {model.channels}], got {tuple(x.shape)}.")
    p, h = model.config.order, model.h
    for s in stretches:
        if s.count < 1 or s.first < p or s.first + s.count - 1 + h >= len(x):
            raise ConfigError(
                f"The {s.count} cutoffs from row {s.first} on need rows {s.first - p} to {s.first + s.count - 1 + h}; "
                f"there are rows 0 to {len(x) - 1}. A window needs order={p} rows before its cutoff and h={h} after it."
            )
