"""Random starts and batches for the tests of networks, and a frame worked out by hand."""

from __future__ import annotations

import numpy as np
import torch

from foretide.models.inputs import Inputs, Shape
from foretide.models.season_term import SeasonTerm
from foretide.models.start import Start

N_ENTITIES = 3


def make_start(
    shape: Shape, *, level: str = "last", channels: str = "all", waves: int = 2, use_known: bool = True, seed: int = 0
) -> Start:
    """Return a start whose numbers are random."""
    rng = np.random.default_rng(seed)
    c, d, size, h = shape.channels, shape.targets, shape.input_size, shape.h
    frequencies = np.array([1 / 24, 1 / 168, 1 / 7])[:waves]
    known = rng.normal(size=(shape.known if use_known else 0, c))
    season = SeasonTerm(frequencies, rng.normal(size=(N_ENTITIES, 2 * waves, c)), known)
    sizes = {"shared": (1, size, h), "own": (d, size, h), "all": (c, size, d, h)}[channels]
    return Start(season, level, channels, rng.normal(size=sizes) / size, rng.normal(size=(d, h)), {"val_mse": 1.0})


def make_inputs(shape: Shape, *, batch: int = 4, first_step: int = 50, seed: int = 1) -> Inputs:
    """Return a random batch of windows."""
    rng = np.random.default_rng(seed)

    def draw(*size: int) -> torch.Tensor:
        return torch.from_numpy(rng.normal(size=size).astype(np.float32))

    size, h = shape.input_size, shape.h
    known = (draw(batch, size, shape.known), draw(batch, h, shape.known)) if shape.known else (None, None)
    return Inputs(
        draw(batch, size, shape.channels),
        torch.arange(batch) * 37 + first_step,
        torch.arange(batch) % N_ENTITIES,
        h,
        *known,
        draw(batch, shape.static) if shape.static else None,
    )


def frame_by_hand(start: Start, inputs: Inputs, shape: Shape) -> dict[str, np.ndarray]:
    """Return what :class:`foretide.models.frame.Frame` makes of a batch, window by window, in float64."""
    size, h, d = shape.input_size, shape.h, shape.targets
    parts: dict[str, list[np.ndarray]] = {"window": [], "scale": [], "outside": [], "linear": []}
    for b in range(len(inputs.past)):
        cutoff, entity = int(inputs.step[b]), int(inputs.entity[b])
        known = None
        if inputs.known is not None and inputs.known_past is not None:
            known = np.concatenate([inputs.known_past[b].numpy(), inputs.known[b].numpy()]).astype(np.float64)
        season = start.season.at(entity, np.arange(cutoff - size + 1, cutoff + h + 1), known)
        window = inputs.past[b].numpy().astype(np.float64) - season[:size]
        level = {"last": window[-1], "mean": window.mean(axis=0), "none": 0.0 * window[-1]}[start.level]
        window = window - level
        linear = np.zeros((h, d))
        for k in range(h):
            for t in range(d):
                if start.channels == "all":
                    linear[k, t] = sum(window[:, c] @ start.weights[c, :, t, k] for c in range(shape.channels))
                else:
                    linear[k, t] = window[:, t] @ start.weights[t if start.channels == "own" else 0, :, k]
                linear[k, t] += start.intercept[t, k]
        parts["window"].append(window)
        parts["scale"].append(np.sqrt((window[:, :d] ** 2).mean(axis=0, keepdims=True) + 0.01))
        parts["outside"].append(season[size:, :d] + level[:d])
        parts["linear"].append(linear)
    return {name: np.stack(found) for name, found in parts.items()}
