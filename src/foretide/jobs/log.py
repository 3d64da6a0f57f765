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

    Lines said before there is a folder are kept until :meth:`write_to` names the file.
    """

    def __init__(self, watch: Callable[[str], None] | None = None) -> None:
        self.watch = watch
        self.path: Path | None = None
        self.waiting: list[str] = []
        self.started = time.perf_counter()

    def write_to(self, path: Path) -> None:
        """Write to this file from now on, beginning with what was said before.

        Parameters
        ----------
        path : path
        """
        self.path = path
        with storing(path), path.open("a", encoding="utf-8") as file:
            file.writelines(self.waiting)
        self.waiting.clear()

    def __call__(self, text: str, *, show: bool = True) -> None:
        """Write one line with the seconds since the start."""
        line = f"{self.seconds:8.2f} s  {text}\n"
        if self.path is None:
            self.waiting.append(line)
        else:
            with storing(self.path), self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        if show and self.watch is not None:
            self.watch(text)

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
        self.write_to(path)
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
