"""Connections that cannot be held open by sending nothing, or very little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    Handle = asyncio.TimerHandle | None


def bounded(head: float, idle: float, whole: float, base: type[asyncio.Protocol] = AutoHTTPProtocol) -> Any:
    """Return a protocol of uvicorn that ends connections whose other side is too slow.

    uvicorn ends a connection that is idle after an answer; any byte stops that clock, and nothing starts it before the
    first answer. Here a deadline stands at all times, and bytes do not move it.

    Parameters
    ----------
    head : float
        Seconds from the start of a connection to the end of the head of its first request; after an answer that of the
        next one has so many more than ``idle``.
    idle : float
        Seconds that a connection may be idle after an answer.
    whole : float
        Seconds from the head of a request to the last byte of the answer that the other side takes.
    base : type of asyncio.Protocol
        uvicorn's.

    Returns
    -------
    type of asyncio.Protocol
    """
    made: Any = base

    class Bounded(made):  # type: ignore[misc]
        deadline: Handle = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self.expect(head, self.unless_working)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self.cycle is not before and self.working():
                self.expect(whole, self.transport.abort)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.expect(*((whole, self.transport.abort) if self.working() else (idle + head, self.unless_working)))

        def connection_lost(self, exc: Exception | None) -> None:
            if self.deadline is not None:
                self.deadline.cancel()
            super().connection_lost(exc)

        def working(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def unless_working(self) -> None:
            if not self.working():
                self.transport.abort()

        def expect(self, seconds: float, end: Callable[[], None]) -> None:
            if self.deadline is not None:
                self.deadline.cancel()
            self.deadline = asyncio.get_running_loop().call_later(seconds, end)

    return Bounded
