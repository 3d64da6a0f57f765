"""What a shock to the latent state does to the forecasts: through effects, base and heads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.forecasters.lavar.features import Look, answers
from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.explain.latent.reading import Reading

MOST_WINDOWS = 98
"""Windows looked at, evenly spread."""


def target_responses(reading: Reading, shocks: Floats) -> tuple[Floats, Floats]:
    """Change of the forecasts when the state is shocked at the first step ahead, the mean over windows.

    The forecast with the shocked rollout minus the one without, as the model would give both; what was observed up to
    the cutoff stays as it is. At most :data:`MOST_WINDOWS` windows are looked at.

    Parameters
    ----------
    shocks : ``[H, K, J]``
        What each shock adds to the state at each step ahead, in standard units.

    Returns
    -------
    Responses ``[H, D, J]`` and mean forecasts without a shock ``[H, D]``, in original units.
    """
    parts, panel = reading.parts, reading.panel
    windows = reading.windows[evenly(len(reading.windows), MOST_WINDOWS)]
    plain = Look.at(panel, windows, reading.h, parts.state, parts.preparation, parts.own_history, all_rows=True)
    k, n_shocks = shocks.shape[1:]
    # All shocks side by side as windows of their own: one pass through base and heads.
    added = np.concatenate([np.zeros((1, reading.h, k)), np.moveaxis(shocks, 2, 0)])
    ahead = (plain.ahead[None] + added[:, None]).reshape(-1, reading.h, k)
    copies = np.tile(np.arange(len(windows)), n_shocks + 1)
    features = plain.features[copies]
    features[:, :, :k] = ahead
    look = replace(plain, windows=windows[copies], ahead=ahead, features=features, learning=False)
    mean, _ = answers(parts, look, look.base(parts.base, parts.effects))
    guard = replace(parts.guard, whole=False)
    mean, _, _ = guard.apply(panel, look.windows, parts.base.positions(panel)[look.windows.entity], mean, None)
    mean = mean.reshape(n_shocks + 1, len(windows), reading.h, -1).mean(axis=1)
    return np.moveaxis(mean[1:] - mean[0], 0, 2), mean[0]
