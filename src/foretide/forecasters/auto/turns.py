"""One candidate's turn: whether there is time for it, and what it forecasts from the held-back origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from foretide.data.checkpoints import at, remembered
from foretide.data.kept import Kept
from foretide.forecasters.auto.judge import Trial, predicted_seconds, tried
from foretide.forecasters.classical.time_limit import OutOfTime, Watch
from foretide.forecasters.options import decisive
from foretide.forecasters.table import class_place
from foretide.parallel import map_tasks
from foretide.text import duration

if TYPE_CHECKING:
    from foretide.forecasters.auto.crew import Shared
    from foretide.forecasters.base import Forecaster

FAILED, NO_TIME = "failed", "no time left"


class Turn(NamedTuple):
    """A candidate when its turn comes.

    Attributes
    ----------
    model : Forecaster
        Unfitted.
    place : int
        Which one it is.
    measured : bool
        Whether it is measured on a few series first.
    left : float or None
        Seconds for its judging and its fit on everything; None: as long as it takes.
    wall : bool
        Whether they are those of the clock on the wall, not of computing.
    """

    model: Forecaster
    place: int
    measured: bool
    left: float | None = None
    wall: bool = False


class Attempt(NamedTuple):
    """What came of a candidate's turn.

    Attributes
    ----------
    trial : Trial or None
    seconds : float
        That its trial took.
    left_out : str
        Why there is no trial.
    """

    trial: Trial | None
    seconds: float = 0.0
    left_out: str = ""


def attempt(shared: Shared, turn: Turn) -> Attempt:
    """Judge a candidate in the time that it has, unless a fit on few series says that this is too little.

    Parameters
    ----------
    shared : (Judge, Panel)
    turn : Turn

    Returns
    -------
    Attempt
    """
    decided_by = (turn.place, class_place(type(turn.model)), decisive(turn.model.settings()))
    return remembered("turn", decided_by, lambda: _attempt(shared, turn), pack=_packed, unpack=_unpacked)


def _attempt(shared: Shared, turn: Turn) -> Attempt:
    judge, left, watch = shared[0], turn.left, Watch(wall=turn.wall)
    assert judge is not None
    if left is not None:
        times, expected = 1 + judge.again(turn.model), 0.0  # to be judged, and fitted again on everything
        if turn.measured and left > 0:
            with at(None):  # what was kept would take no time
                item = turn.model, turn.wall, left, times
                (found,) = map_tasks(predicted_seconds, [item], shared=judge, executor="serial")
            expected = times * (found.value or 0.0)  # what fails here may work on all
            left -= watch.seconds()
        if left <= 0 or expected > left:
            took = f": it would take about {duration(expected)}" if left > 0 else ""
            return Attempt(None, 0.0, NO_TIME + took)
        left /= times
    watch = Watch(wall=turn.wall)
    try:
        trial = tried(judge, turn.model, left, wall=turn.wall)
    except OutOfTime:
        seconds = watch.seconds()
        return Attempt(None, seconds, f"{NO_TIME}: it was stopped after {duration(left or seconds)}")
    return Attempt(trial, watch.seconds())


def _packed(made: Attempt) -> Kept:
    trial = {} if made.trial is None else {"mean": made.trial.mean, "quantiles": made.trial.quantiles}
    return Kept(trial, {"seconds": made.seconds, "left_out": made.left_out})


def _unpacked(kept: Kept) -> Attempt:
    held = {name: np.asarray(array, dtype=np.float64) for name, array in kept.arrays.items()}
    trial = Trial(**held) if held else None
    return Attempt(trial, kept.facts["seconds"], kept.facts["left_out"])
