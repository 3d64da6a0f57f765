"""What happened, line by line."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Log:
    """Lines into ``run.log`` as they happen, and to whoever watches."""

    def __init__(self, path: Path, watch: Callable[[str], None] | None = None) -> None:
        self.path, self.watch = path, watch
        self.started = time.perf_counter()

    def __call__(self, text: str, *, show: bool = True) -> None:
        """Write one line with the seconds since the start."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.perf_counter() - self.started:8.2f} s  {text}\n")
        if show and self.watch is not None:
            self.watch(text)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def catching_warnings(self) -> Iterator[None]:
        """Send warnings into the log; where warnings are errors they stay errors."""
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, kind, *_: self(f"warning: {kind.__name__}: {message}")
            yield
