"""Sentences on the errors of a scorecard."""

from __future__ import annotations

import numpy as np

from foretide.text import number, unit_of
from foretide.typing import Reals


def error_words(model: str, errors: Reals, freq: str | int, metric: str = "RMSE") -> str:
    """Say how the error of a model goes with the horizon step.

    Parameters
    ----------
    model : str
    errors : float array ``[H]``
    freq : str or int
        Step of the grid.
    metric : str
        What the error is.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.evaluation.cards.words import error_words
    >>> error_words("LSTM", np.array([1.0, 1.5]), "h")
    "LSTM's RMSE grows: 1 one hour ahead, 1.5 at step 2."
    """
    first, last = float(errors[0]), float(errors[-1])
    if len(errors) == 1 or not np.isfinite([first, last]).all():
        return f"{model}'s {metric} is {number(first)}."
    unit = unit_of(freq, plural=False)
    grows = "grows" if last > 1.05 * first else "falls" if last < 0.95 * first else "stays much the same"
    return f"{model}'s {metric} {grows}: {first:.4g} one {unit} ahead, {last:.4g} at step {len(errors)}."
