"""Going over the weights of any number of windows, batch by batch; only sums are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows
from foretide.errors import ConfigError, NotFittedError
from foretide.explain.origins import AFTER, FEWEST_WINDOWS, WHOLE, fit_end, windows_at
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.neural import in_batches
from foretide.typing import Floats, Ints, Singles

if TYPE_CHECKING:
    import torch

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.models.attending import AttendingBackbone, Look
    from foretide.models.inputs import Labels
    from foretide.training.store import WindowBatches
    from foretide.typing import Times


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
    def backbone(self) -> AttendingBackbone:
        """The network's part that attends."""
        return backbone_of(self.model)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Whole seasons, in steps, that the model was given or that the frequency suggests, within its reach."""
        own = self.model.seasons
        seasons = seasons_of(self.panel.grid.freq) if own is None else own
        reach = self.model.min_history + self.model.h - 1
        return tuple(sorted(int(s) for s in seasons if 1 < s <= reach and float(s).is_integer()))

    def names(self) -> list[str]:
        """Name of each entity; of its targets where it has none."""
        return [name or ", ".join(self.panel.targets) for name in self.panel.ids]

    def with_truth(self) -> Ints:
        """Places of the windows whose whole horizon lies inside the panel."""
        return np.flatnonzero(self.windows.cutoff + self.model.h < self.panel.length[self.windows.entity])

    def weights(self, places: Ints | None = None) -> Iterator[tuple[slice, torch.Tensor, Look]]:
        """Yield the weights ``[B, M, H, L]`` of the windows at ``places``, and what they were made from, in order."""
        import torch

        backbone, batches = self.backbone, self._batches(places)
        for at, chosen in in_batches(batches):
            # Not around the yield: what the reader does in between must not be in this mode.
            with torch.inference_mode():
                look = backbone.look(batches.inputs(chosen))
                weights = torch.softmax(look.scores, dim=-1)
            yield at, weights, look

    def with_truth_of(self, places: Ints) -> Iterator[tuple[slice, Look, torch.Tensor, Labels]]:
        """Yield what the decoder knows before its softmax, the fitted entity ``[B]``, and the truth."""
        import torch

        backbone, batches = self.backbone, self._batches(places)
        for at, chosen in in_batches(batches):
            with torch.inference_mode():
                inputs, labels = batches.batch(chosen)
                look = backbone.look(inputs)
            yield at, look, inputs.entity, labels

    # ---------------------------------------------------------------- a tidy table
    def frame(self, places: Ints | None, most_rows: int) -> pd.DataFrame:
        """One row per window, head, horizon step and lag; see ``AttentionSummary.to_frame``."""
        n = len(self.windows) if places is None else len(places)
        rows = n * int(np.prod(self.backbone.attention_shape))
        if rows > most_rows:
            raise ConfigError(
                f"The weights of {n} windows are {rows} rows, more than most_rows={most_rows}. Type "
                "summary.write_parquet('attention.parquet') to have them written in pieces, or choose windows: "
                "summary.to_frame(places=[0, 1])."
            )
        return pd.concat(list(self.pieces(places)), ignore_index=True).astype({"series": object})

    def pieces(self, places: Ints | None) -> Iterator[pd.DataFrame]:
        """The same table batch by batch, oldest lag first in each row of weights."""
        heads, h, lookback = self.backbone.attention_shape
        windows = self.windows if places is None else self.windows[places]
        cutoffs, names = windows.steps(self.panel), pd.Index(self.names())
        for at, weights, _ in self.weights(places):
            n, each = at.stop - at.start, heads * h * lookback
            yield pd.DataFrame({
                "series": pd.Categorical.from_codes(np.repeat(windows.entity[at], each), categories=names),
                "cutoff": self.panel.grid.output_times(cutoffs[at]).repeat(each),
                "head": np.tile(np.repeat(np.arange(1, heads + 1, dtype=np.int16), h * lookback), n),
                "h_step": np.tile(np.repeat(np.arange(1, h + 1, dtype=np.int16), lookback), n * heads),
                "lag": np.tile(np.arange(lookback - 1, -1, -1, dtype=np.int16), n * heads * h),
                "weight": weights.cpu().numpy().reshape(-1),
            })  # fmt: skip

    def _batches(self, places: Ints | None) -> WindowBatches:
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
    mean: Floats
    entropy: Floats
    top1: Ints

    @classmethod
    def streamed(cls, lens: Lens, keep: Singles | None = None) -> Sums:
        """Go over all windows once; ``keep`` ``[N, M, H, L]`` is filled with the weights."""
        import torch

        shape = lens.backbone.attention_shape
        heads, h, lookback = shape
        mean, entropy = np.zeros(shape), np.zeros((heads, h))
        top1 = np.zeros(heads * h * lookback, dtype=np.int64)
        with torch.inference_mode():
            rows = torch.arange(heads * h, device=lens.backbone.device).view(heads, h) * lookback
            for at, weights, look in lens.weights():
                mean += weights.sum(dim=0).cpu().numpy()
                largest, top = weights.max(dim=-1)
                # -sum w log w without a logarithm per weight: log w = score - log Z, and log Z = top score - log top w.
                log_z = look.scores.gather(-1, top[..., None])[..., 0] - largest.log()
                entropy += (log_z - (weights * look.scores).sum(dim=-1)).sum(dim=0).cpu().numpy()
                top1 += torch.bincount((top + rows).flatten(), minlength=len(top1)).cpu().numpy()
                if keep is not None:
                    keep[at] = weights.cpu().numpy()
        n = len(lens.windows)
        return cls(n, mean / n, np.maximum(entropy / n, 0.0), top1.reshape(shape))


def lens_on(model: Forecaster, panel: Panel, cutoffs: Times | Windows | None) -> Lens:
    """Check the model and find the windows; see :func:`foretide.explain.attention`."""
    backbone_of(model)
    windows, in_sample = windows_at(
        panel, cutoffs, rows=model.min_history, h=model.h, end=fit_end(model, panel), fewest=FEWEST_WINDOWS
    )
    about = "at the cutoffs given" if cutoffs is not None else WHOLE if in_sample else AFTER
    return Lens(cast("Attention", model), panel, windows, about)


def backbone_of(model: Forecaster) -> AttendingBackbone:
    """Return the part of a fitted model that attends, or say what was expected."""
    if not isinstance(model, Attention):
        raise ConfigError(
            f"Attention weights are those of a foretide Attention model, got {type(model).__name__}. "
            "Type: ft.Attention(h=...).fit(panel)" + (", or hand in its .model." if hasattr(model, "model") else ".")
        )
    if model.network is None:
        raise NotFittedError(f"{model.name} is not fitted. Type: model.fit(panel, until=...)")
    return cast("AttendingBackbone", model.network.backbone)
