"""Series that never move in their training part: their scale and spread say nothing of them once they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Reals


def flat_series(train: Panel) -> frozenset[str]:
    """Entities none of whose targets moves in the training part; none where all are so.

    Parameters
    ----------
    train : Panel

    Returns
    -------
    frozenset of str
    """
    d = train.n_targets
    found = frozenset(name for i, name in enumerate(train.ids) if is_constant(train.rows(i)[:, :d]))
    return frozenset() if len(found) == train.n_entities else found


def is_constant(values: Reals) -> bool:
    """Whether no column has two different values.

    Parameters
    ----------
    values : float array ``[T, D]``
        NaN where not observed.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.forecasters.networks.flat import is_constant
    >>> is_constant(np.array([[1.0], [np.nan], [1.0]])), is_constant(np.array([[1.0], [2.0]]))
    (True, False)
    """
    seen = ~np.isnan(values)
    low, high = np.where(seen, values, np.inf).min(axis=0), np.where(seen, values, -np.inf).max(axis=0)
    return bool((low >= high).all())
