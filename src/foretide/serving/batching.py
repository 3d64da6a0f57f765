"""One worker for all forecasts: it takes together what waits for the same model with the same settings."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretide.serving.forecasting import Outcome, forecast_all
from foretide.serving.limits import Limits, RequestError

if TYPE_CHECKING:
    from foretide.serving.asked import Asked

    Work = Callable[[Sequence[Asked]], list[Outcome]]


@dataclass(frozen=True, eq=False)
class _Waiting:
    asked: Asked
    answer: asyncio.Future[Outcome]
    until: float


class Batcher:
    """Requests wait in one line; whatever stands in it when the worker is free is forecast in as few calls as it can.

    Nobody is kept waiting for others to come: a request that finds the worker free is forecast at once.

    Parameters
    ----------
    limits : Limits
    work : callable, optional
        Answers requests of one key; :func:`foretide.serving.forecasting.forecast_all` by default.
    """

    def __init__(self, limits: Limits, work: Work = forecast_all) -> None:
        self._limits, self._work = limits, work
        self._line: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="foretide-forecasts", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests in the line."""
        return len(self._line)

    async def submit(self, asked: Asked) -> Outcome:
        """Wait for the answer to a request.

        Parameters
        ----------
        asked : Asked

        Returns
        -------
        Outcome

        Raises
        ------
        RequestError
            When too many wait, and when the worker has not come to it in time.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise RequestError("The service is stopping. Try again elsewhere, or later.", 503, "Stopping", after=1)
            if len(self._line) >= self._limits.waiting:
                text = f"{len(self._line)} requests are waiting already. Try again in a second."
                raise RequestError(text, 503, "TooBusy", after=1)
            self._line.append(_Waiting(asked, answer, time.monotonic() + self._limits.seconds))
            self._changed.notify()
        try:
            return await asyncio.wait_for(answer, self._limits.seconds)
        except TimeoutError:
            text = f"There was no answer within {self._limits.seconds:g} seconds. Try again, with less in a request."
            raise RequestError(text, 503, "TooBusy", after=1) from None

    def close(self) -> None:
        """Take no more requests, answer those in the line, and end the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=self._limits.seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._line and not self._closed:
                    self._changed.wait()
                if not self._line:
                    return
                chosen = self._next()
            if not chosen:
                continue
            try:
                outcomes = self._work([waiting.asked for waiting in chosen])
            except BaseException as error:  # the worker has to live on; who asked gets the error
                outcomes = [Outcome(None, error if isinstance(error, Exception) else RuntimeError(repr(error)))]
                outcomes *= len(chosen)
            for waiting, outcome in zip(chosen, outcomes, strict=True):
                _deliver(waiting.answer, outcome)

    def _next(self) -> list[_Waiting]:
        """Take the first request from the line, and all behind it that can share its call."""
        now = time.monotonic()
        first = self._line.popleft()
        while first.answer.done() or first.until < now:
            if not self._line:
                return []
            first = self._line.popleft()
        key, rows = first.asked.key, first.asked.rows
        chosen, others = [first], []
        while self._line and key is not None and len(chosen) < self._limits.batch:
            waiting = self._line.popleft()
            if waiting.asked.key == key and rows + waiting.asked.rows <= self._limits.batch_rows:
                chosen.append(waiting)
                rows += waiting.asked.rows
            else:
                others.append(waiting)
        self._line.extendleft(reversed(others))
        return [waiting for waiting in chosen if not waiting.answer.done()]


def _deliver(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    """Hand an answer over to the loop that waits for it, if it still does."""

    def put() -> None:
        if not answer.done():
            answer.set_result(outcome)

    loop = answer.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(put)
