"""What happened, line by line."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from foretide.data.files import storing
from foretide.errors import StorageError


class Log:
    """Lines into ``run.log`` as they happen, and to whoever watches.

    Lines said before there is a folder are kept until :meth:`of` names the file.
    """

    def __init__(self, watch: Callable[[str], None] | None = None) -> None:
        self.watch = watch
        self.path: Path | None = None
        self.waiting: list[str] = []
        self.started = time.perf_counter()

    def __call__(self, text: str, *, show: bool = True) -> None:
        """Write one line with the seconds since the start."""
        self.waiting.append(f"{self.seconds:8.2f} s  {text}\n")
        self._write()
        if show and self.watch is not None:
            self.watch(text)

    def _write(self) -> None:
        if self.path is not None:
            with storing(self.path), self.path.open("a", encoding="utf-8") as file:
                file.writelines(self.waiting)
            self.waiting.clear()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """Write to this file while the block lasts, warnings included, and what ended it where it did not finish.

        Parameters
        ----------
        path : path

        Yields
        ------
        None
        """
        self.path = path
        self._write()
        with self.catching_warnings():
            try:
                yield
            except BaseException as error:
                try:
                    self(f"stopped: {type(error).__name__}: {error}", show=False)
                except StorageError as failed:
                    error.add_note(str(failed))
                raise

    @contextmanager
    def catching_warnings(self) -> Iterator[None]:
        """Send warnings into the log; where warnings are errors they stay errors.

        Yields
        ------
        None
        """
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, kind, *_: self(f"warning: {kind.__name__}: {message}")
            yield
