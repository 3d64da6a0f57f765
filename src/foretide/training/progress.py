"""A progress bar over epochs, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from foretide.parallel import in_worker
from foretide.training.watch import Epoch, EpochCallback


@contextlib.contextmanager
def epoch_bar(name: str, epochs: int) -> Iterator[EpochCallback | None]:
    """Show epochs, validation loss and time left of one training on stderr; give None where nobody looks.

    Parameters
    ----------
    name : str
        What is trained.
    epochs : int
        The most epochs it can take; early stopping may end sooner.
    """
    if not sys.stderr.isatty() or not epochs or in_worker():  # bars of several workers would garble one another
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=epochs, loss="")

        def show(row: Epoch) -> None:
            bar.update(task, completed=row["epoch"], loss=f"validation loss {row['val_loss']:.4g}")

        yield show
