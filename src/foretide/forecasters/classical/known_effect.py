"""Effects of known-future columns that are taken off the past and added to the forecast."""

from __future__ import annotations

from dataclasses import replace
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
    from foretide.models.known_basis import KnownBasis
    from foretide.training.prepare import Preparation
    from foretide.typing import Floats, Reals


def effect_on(
    weights: Reals, preparation: Preparation, panel: Panel, windows: Windows, h: int, basis: KnownBasis | None = None
) -> Floats:
    """Return the effects on every row of the panel, then on every window's horizon, in scaled units.

    Parameters
    ----------
    weights : ``[G, C]``
        Of the known-future columns, their trailing means and the calendar as ``preparation`` has them, and the basis.
    preparation : Preparation
    panel : Panel
    windows : Windows
    h : int
    basis : KnownBasis, optional

    Returns
    -------
    float array ``[R + W h, C]``
    """
    none = np.zeros((int(panel.length.sum()), 0), dtype=np.float32)
    calendar = preparation.calendar_table(panel, h)
    series = replace(
        preparation.series(panel, none, preparation.future(panel, h), calendar, panel.observed), basis=basis
    )
    past, ahead = [], np.empty((len(windows), h, weights.shape[1]))
    of = dict(by_entity(windows))
    for entity in range(panel.n_entities):
        steps = int(panel.length[entity])
        known = series.part(entity, 0, steps + h)[2]
        assert known is not None
        effect = known @ weights
        past.append(effect[:steps])
        if entity in of:
            cutoffs = windows.cutoff[of[entity]]
            check_known(panel, entity, known_rows(panel, entity, h), cutoffs, h, range(len(panel.future)))
            ahead[of[entity]] = effect[cutoffs[:, None] + 1 + np.arange(h)]
    return np.concatenate([*past, ahead.reshape(-1, weights.shape[1])])


def left_out(name: str, panel: Panel, n: int) -> tuple[Note, ...]:
    """Return the note of ``n`` forecasts that the known-future columns were left out, if there are any."""
    if not panel.future:
        return ()
    why = f"{name} leaves out {first_few(panel.future, SHOWN)}: on validation it is no better with them"
    return (Note("left-out", why, np.arange(n), panel.future),)
