"""What a service says of itself: metrics for Prometheus, and a log of JSON lines without data."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from foretide.serving.models import Served

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counts and times of a service, in a registry of its own.

    Parameters
    ----------
    waiting : callable
        Returns how many requests wait.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("foretide_requests", "Requests.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "foretide_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.rows = Counter("foretide_rows", "Rows of tables forecast from.", ["model"], registry=self.registry)
        self.series = Counter("foretide_series", "Series forecast.", ["model"], registry=self.registry)
        self.batch = Histogram(
            "foretide_batch_size",
            "Requests that were forecast in one call, for each of them.",
            buckets=_BATCHES,
            registry=self.registry,
        )
        self.models = Gauge(
            "foretide_model_info", "Models in memory.", ["model", "version", "forecaster"], registry=self.registry
        )
        self.reloads = Counter("foretide_reloads", "Reloads of the models.", ["outcome"], registry=self.registry)
        Gauge("foretide_waiting", "Requests in the line.", registry=self.registry).set_function(waiting)

    def show_models(self, models: Iterable[Served]) -> None:
        """Say which models are in memory.

        Parameters
        ----------
        models : iterable of Served
        """
        self.models.clear()
        for served in models:
            self.models.labels(served.name, served.version, type(served.model).__name__).set(1)

    def text(self) -> bytes:
        """Return everything in Prometheus's format.

        Returns
        -------
        bytes
        """
        return bytes(generate_latest(self.registry))


class Log:
    """JSON lines: one for each request and each event; no names or values of the data.

    Parameters
    ----------
    file : text file, optional
        Standard error by default; None: nothing is written.
    """

    def __init__(self, file: TextIO | None = sys.stderr) -> None:
        self._file, self._lock = file, threading.Lock()

    def say(self, event: str, **facts: object) -> None:
        """Write one line.

        Parameters
        ----------
        event : str
        **facts
            What there is to know, as JSON holds it; what is None is left out.
        """
        if self._file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        kept = {name: value for name, value in facts.items() if value is not None}
        line = json.dumps({"time": now, "event": event, **kept}, ensure_ascii=True, default=str)
        with self._lock:
            print(line, file=self._file, flush=True)
