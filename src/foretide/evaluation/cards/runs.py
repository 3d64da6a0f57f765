"""How the models of a scorecard were made, and where."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field

from foretide.evaluation.cards.account import Account


@dataclass(frozen=True)
class ModelRun:
    """How one model of a backtest was made.

    Attributes
    ----------
    name, kind : str
        Its name, and the name of its class.
    baseline, asked : bool
        Whether skill is measured against it; whether it was named, or ran by default.
    settings : dict
    seed : int or None
    n_fits : int
    fit_seconds, predict_seconds : float
        Sums over all fits.
    peak_mib : float
        Most memory above that of the process before, over all fits, in MiB.
    account : Account
        What the last fit says of itself: epochs, start, buckets, interventions.
    start_of : tuple of str
        The networks whose closed-form start it is.
    """

    name: str
    kind: str
    baseline: bool
    asked: bool
    settings: dict[str, object]
    seed: int | None
    n_fits: int
    fit_seconds: float
    predict_seconds: float
    peak_mib: float
    account: Account = field(default_factory=lambda: Account())
    start_of: tuple[str, ...] = ()


def surroundings() -> dict[str, object]:
    """Return versions, threads and machine.

    Returns
    -------
    dict
        ``versions``, ``platform``, ``cores`` and ``OMP_NUM_THREADS``.

    Examples
    --------
    >>> sorted(surroundings())
    ['OMP_NUM_THREADS', 'cores', 'platform', 'versions']
    """
    from foretide.forecasters.artifact import versions  # late: saving is not needed to score

    return {
        "versions": versions(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }
