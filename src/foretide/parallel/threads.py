"""Threads of BLAS, OpenMP and torch, so that tasks side by side do not fight for cores and bits stay equal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from foretide.text import is_whole

VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip
"""Read by the libraries when they are loaded."""


def cores() -> int:
    """Return the number of cores this process may use.

    Returns
    -------
    int
    """
    from loky import cpu_count

    return int(cpu_count())


def environment(threads: int | None) -> dict[str, str]:
    """Return the variables that give a new process its threads; none for None.

    Parameters
    ----------
    threads : int or None

    Returns
    -------
    dict
    """
    return {} if threads is None else dict.fromkeys(VARIABLES, str(threads))


@contextlib.contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Hold the threads of this process to a number, and give back what was there afterwards.

    Libraries that are first loaded inside are held too, and get the threads they would have had.

    Parameters
    ----------
    threads : int or None

    Yields
    ------
    None
    """
    if threads is None:
        yield
        return
    from threadpoolctl import ThreadpoolController

    loaded = ThreadpoolController()
    known = {library.filepath for library in loaded.lib_controllers}
    former = {name: os.environ.get(name) for name in VARIABLES}
    torch = sys.modules.get("torch")  # nothing to hold where it is not loaded, and loading it takes seconds
    torch_had = None if torch is None else torch.get_num_threads()
    os.environ.update(environment(threads))
    try:
        with loaded.limit(limits=threads):
            if torch is not None:
                torch.set_num_threads(threads)
            yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        for library in ThreadpoolController().lib_controllers:
            if library.filepath not in known:
                library.set_num_threads(_by_default())
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(torch_had or _by_default())


def _by_default() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(given) if is_whole(given) and int(given) > 0 else cores()
