"""Effects of known-future columns that are taken off the past and added to the forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.ahead import check_known, known_rows
from foretide.forecasters.answer import Note
from foretide.forecasters.classical.regressors import SHOWN
from foretide.forecasters.simple.history import by_entity
from foretide.text import first_few

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.training.prepare import Preparation
    from foretide.typing import Floats, Reals


def effect_on(weights: Reals, preparation: Preparation, panel: Panel, windows: Windows, h: int) -> Floats:
    """Return the effects on every row of the panel, then on every window's horizon, in scaled units.

    Parameters
    ----------
    weights : ``[F, C]``
    preparation : Preparation
    panel : Panel
    windows : Windows
    h : int

    Returns
    -------
    float array ``[R + W h, C]``
    """
    ahead = np.empty((len(windows), h, len(panel.future)))
    for entity, chosen in by_entity(windows):
        cutoffs, table = windows.cutoff[chosen], known_rows(panel, entity, h)
        check_known(panel, entity, table, cutoffs, h, range(len(panel.future)))
        ahead[chosen] = table[cutoffs[:, None] + 1 + np.arange(h)]
    past = [known_rows(panel, entity, 0) for entity in range(panel.n_entities)]
    rows = np.concatenate([*past, ahead.reshape(-1, len(panel.future))])
    scaled = (rows - preparation.known_location) / preparation.known_scale
    return np.asarray(np.nan_to_num(scaled) @ weights)


def left_out(name: str, panel: Panel, n: int) -> tuple[Note, ...]:
    """Return the note of ``n`` forecasts that the known-future columns were left out, if there are any."""
    if not panel.future:
        return ()
    why = f"{name} leaves out {first_few(panel.future, SHOWN)}: on validation it is no better with them"
    return (Note("left-out", why, np.arange(n), panel.future),)
