"""Going over the weights of any number of windows, batch by batch; only sums are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.windows import Windows, at_cutoffs, slide
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.explain.weights.profiles import entropy_of
from foretide.forecasters.networks.neural import in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.forecasters.networks.attention import Attention
    from foretide.models.attention import AttentionBackbone, Look
    from foretide.models.inputs import Labels
    from foretide.training.store import WindowBatches

FEWEST_WINDOWS = 30
"""Windows after the fitted part below which ``cutoffs=None`` takes all windows of the panel."""


@dataclass(frozen=True, eq=False)
class Lens:
    """A fitted attention model, a panel, and the windows that are looked at.

    Attributes
    ----------
    model : Attention
    panel : Panel
    windows : Windows
        Ordered by entity, then time.
    about : str
        Which windows these are, in words.
    """

    model: Attention
    panel: Panel
    windows: Windows
    about: str

    @property
    def backbone(self) -> AttentionBackbone:
        """The network's part that attends."""
        return backbone_of(self.model)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Whole seasons, in steps, that the model was given or that the frequency suggests, within its reach."""
        from foretide.data.time.seasons import seasons_of

        given = self.model.seasons
        found = seasons_of(self.panel.grid.freq) if given is None else given
        reach = self.model.min_history + self.model.h - 1
        return tuple(sorted(int(s) for s in found if 1 < s <= reach and float(s).is_integer()))

    def names(self) -> list[str]:
        """Name of each entity; of its targets where it has none."""
        return [name or ", ".join(self.panel.targets) for name in self.panel.ids]

    def with_truth(self) -> NDArray[np.int64]:
        """Places of the windows whose whole horizon lies inside the panel."""
        return np.flatnonzero(self.windows.cutoff + self.model.h < self.panel.length[self.windows.entity])

    def weights(self, places: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, torch.Tensor, Look]]:
        """Yield the weights ``[B, M, H, L]`` of the windows at ``places``, and what they were made from, in order."""
        import torch

        backbone, batches = self.backbone, self._batches(places)
        for at, chosen in in_batches(batches):
            # Not around the yield: what the reader does in between must not be in this mode.
            with torch.inference_mode():
                seen = backbone.look(batches.inputs(chosen))
                weights = torch.softmax(seen.scores, dim=-1)
            yield at, weights, seen

    def with_truth_of(self, places: NDArray[np.int64]) -> Iterator[tuple[slice, Look, torch.Tensor, Labels]]:
        """Yield what the decoder knows before its softmax, the fitted entity ``[B]``, and the truth."""
        import torch

        backbone, batches = self.backbone, self._batches(places)
        for at, chosen in in_batches(batches):
            with torch.inference_mode():
                inputs, labels = batches.batch(chosen)
                seen = backbone.look(inputs)
            yield at, seen, inputs.entity, labels

    def _batches(self, places: NDArray[np.int64] | None) -> WindowBatches:
        return self.model.window_batches(self.panel, self.windows if places is None else self.windows[places])


@dataclass(frozen=True, eq=False)
class Sums:
    """What is kept of the weights of ``n`` windows.

    Attributes
    ----------
    n : int
    mean : float64 array ``[M, H, L]``
        Mean weight, oldest lag first.
    entropy : float64 array ``[M, H]``
        Mean entropy of a window's row, in nats.
    top1 : int64 array ``[M, H, L]``
        In how many windows the lag is the most attended one.
    """

    n: int
    mean: NDArray[np.float64]
    entropy: NDArray[np.float64]
    top1: NDArray[np.int64]

    @classmethod
    def of_array(cls, weights: NDArray[np.floating]) -> Sums:
        """Take the sums of an array ``[N, M, H, L]``."""
        n, _, _, lookback = weights.shape
        entropy = np.mean([entropy_of(w) for w in weights], axis=0)
        top = np.stack([w.argmax(axis=-1) for w in weights])
        top1 = np.stack([(top == lag).sum(axis=0) for lag in range(lookback)], axis=-1)
        return cls(n, weights.mean(axis=0, dtype=np.float64), entropy, top1.astype(np.int64))

    @classmethod
    def streamed(cls, lens: Lens, keep: NDArray[np.float32] | None = None) -> Sums:
        """Go over all windows once; ``keep`` ``[N, M, H, L]`` is filled with the weights."""
        import torch

        shape = tuple(lens.backbone.bias.shape)
        heads, h, lookback = shape
        mean, entropy = np.zeros(shape), np.zeros((heads, h))
        top1 = np.zeros(heads * h * lookback, dtype=np.int64)
        with torch.inference_mode():
            rows = torch.arange(heads * h, device=lens.backbone.bias.device).view(heads, h) * lookback
            for at, weights, seen in lens.weights():
                mean += weights.sum(dim=0).cpu().numpy()
                found, top = weights.max(dim=-1)
                # -sum w log w without a logarithm per weight: log w = score - log Z, and log Z = top score - log top w.
                log_z = seen.scores.gather(-1, top[..., None])[..., 0] - found.log()
                entropy += (log_z - (weights * seen.scores).sum(dim=-1)).sum(dim=0).cpu().numpy()
                top1 += torch.bincount((top + rows).flatten(), minlength=len(top1)).cpu().numpy()
                if keep is not None:
                    keep[at] = weights.cpu().numpy()
        n = len(lens.windows)
        return cls(n, mean / n, np.maximum(entropy / n, 0.0), top1.reshape(shape))


def lens_on(model: Any, panel: Panel, cutoffs: Sequence[Any] | None) -> Lens:
    """Check the model and find the windows; see :func:`foretide.explain.attention`."""
    backbone_of(model)
    model._fitted.check(panel, model.name)
    size, h = model.min_history, model.h
    if cutoffs is not None:
        windows = at_cutoffs(panel, cutoffs, min_history=size)
        return Lens(model, panel, windows, "at the cutoffs given")
    fitted = model.fitted_step(panel)
    first = (int(panel.last.max()) if fitted is None else fitted) + 1
    windows, about = slide(panel, input_size=size, h=h, first_target=first), "after what the model was fitted on"
    if len(windows) < FEWEST_WINDOWS:
        windows, about = slide(panel, input_size=size, h=h), "of the whole panel, those it learned from among them"
    if not len(windows):
        raise DataError(
            f"No window fits: input_size={size} and h={h} need {size + h} rows, the longest series has "
            f"{int(panel.observed.max())}. Give longer series, or cutoffs=[...] for windows without a truth."
        )
    return Lens(model, panel, windows, about)


def backbone_of(model: Any) -> AttentionBackbone:
    """Return the part of a fitted model that attends, or say what was expected."""
    from foretide.forecasters.networks.attention import Attention

    if not isinstance(model, Attention):
        raise ConfigError(
            f"Attention weights are those of a foretide Attention model, got {type(model).__name__}. "
            "Type: ft.Attention(h=...).fit(panel)" + (", or hand in its .model." if hasattr(model, "model") else ".")
        )
    if model.network is None or model._fitted is None:
        raise NotFittedError(f"{model.name} is not fitted. Type: model.fit(panel, until=...)")
    backbone: Any = model.network.backbone
    found: AttentionBackbone = backbone
    return found
