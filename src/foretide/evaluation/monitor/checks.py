"""What a look at new rows says: one check a question, a few of them an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Check:
    """One question that new rows answer.

    Attributes
    ----------
    kind : {"forecast", "input", "data"}
        What it asks of: the forecasts, the distribution of a column, or the table itself.
    name : str
        What was looked at, such as ``coverage 80 %`` or ``temperature: all series``.
    text : str
        What was found, in a sentence.
    value, expected : float, optional
        The figure found, and what it was to be.
    p : float, optional
        Probability of a figure as extreme where nothing has changed, by itself; None for a fact that needs no test.
    adjusted : float, optional
        The same in the light of all the other checks of its kind.
    alarm : bool
        Whether it speaks of a change.
    """

    kind: str
    name: str
    text: str
    value: float | None = None
    expected: float | None = None
    p: float | None = None
    adjusted: float | None = None
    alarm: bool = False


def with_alarms(checks: Sequence[Check], alpha: float) -> list[Check]:
    """Adjust p-values for how many there are (Holm), and raise the alarm where one is at most ``alpha``.

    Parameters
    ----------
    checks : sequence of Check
        Those without a p-value stay as they are.
    alpha : float
        Probability of at least one alarm among them where nothing has changed, at most.

    Returns
    -------
    list of Check

    Examples
    --------
    >>> from foretide.evaluation.monitor.checks import Check, with_alarms
    >>> made = with_alarms([Check("input", "a", "", p=0.01), Check("input", "b", "", p=0.04)], 0.025)
    >>> [(check.adjusted, check.alarm) for check in made]
    [(0.02, True), (0.04, False)]
    """
    tested = [k for k, check in enumerate(checks) if check.p is not None]
    order = sorted(tested, key=lambda k: checks[k].p or 0.0)
    made, highest = list(checks), 0.0
    for rank, k in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * float(np.float64(checks[k].p))))
        made[k] = replace(checks[k], adjusted=highest, alarm=highest <= alpha)
    return made
