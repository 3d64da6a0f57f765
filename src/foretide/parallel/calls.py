"""One call of a task's function, the same in process and in a worker."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Iterable

from foretide.parallel.executor import I, Outcome, R, S

NOT_TOLD = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Meant for those who write libraries; Python hides them too."""
KINDS_SHOWN = 5
"""Different messages shown of one category of warnings."""


def call(function: Callable[[S, I], R], shared: S, item: I, index: int) -> Outcome[R]:
    """Run a function on one item, and keep what it returned, raised and warned of.

    Ctrl-C is no outcome and goes on to whoever called.

    Parameters
    ----------
    function : callable
    shared : S
    item : I
    index : int

    Returns
    -------
    Outcome[R]
    """
    value, error, text = None, None, ""
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for category in NOT_TOLD:
            warnings.simplefilter("ignore", category)
        try:
            value = function(shared, item)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # also SystemExit: a task does not end the map
            error, text = raised, traceback.format_exc()
    told = tuple((one.category, str(one.message)) for one in caught)
    return Outcome(index, value, error, 1, time.perf_counter() - started, text, told)


def tell(told: Iterable[tuple[type[Warning], str]], stacklevel: int) -> None:
    """Show the warnings of many tasks, each message once with its count.

    Parameters
    ----------
    told : Iterable[tuple[type[Warning], str]]
    stacklevel : int
    """
    counts: dict[type[Warning], dict[str, int]] = {}
    for category, message in told:
        of_kind = counts.setdefault(category, {})
        of_kind[message] = of_kind.get(message, 0) + 1
    for category, messages in counts.items():
        ranked = sorted(messages.items(), key=lambda pair: -pair[1])
        for message, n in ranked[:KINDS_SHOWN]:
            warnings.warn(message + (f" ({n} times)" if n > 1 else ""), category, stacklevel=stacklevel + 1)
        if len(ranked) > KINDS_SHOWN:
            rest = ranked[KINDS_SHOWN:]
            text = f"{sum(n for _, n in rest)} more of {len(rest)} other messages like it, such as: {rest[0][0]}"
            warnings.warn(text, category, stacklevel=stacklevel + 1)
