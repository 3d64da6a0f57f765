"""Which series a picture opens on: a typical one, not the first of the alphabet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretide.report.content import Content


def typical_of(content: Content, names: Iterable[str]) -> str | None:
    """Return the series that stands for most.

    Of counts that of the density which most series have, else the one with the middle error of the best model.

    Parameters
    ----------
    content : Content
    names : iterable of str
        What can be shown.

    Returns
    -------
    str or None
        None where nothing was scored.
    """
    known = set(names)
    for name in _by_density(content):
        if name in known:
            return name
    table = content.by_series
    model = next((m for m in content.ranked if table is not None and m in table), None)
    if table is None or model is None:
        return None
    order = table[[str(s) in known for s in table.iloc[:, 0]]].sort_values(model, kind="stable").iloc[:, 0]
    return str(order.iloc[(len(order) - 1) // 2]) if len(order) else None


def _by_density(content: Content) -> list[str]:
    """Series that stand for a density, that of most series first."""
    if content.buckets is None or not content.typical:
        return list(content.typical.values())
    sizes = dict(zip(content.buckets["bucket"], content.buckets["n_series"], strict=True))
    return [name for _, name in sorted(content.typical.items(), key=lambda pair: -sizes.get(pair[0], 0))]
