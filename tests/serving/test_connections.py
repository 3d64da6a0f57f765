"""A connection that sends nothing, or a byte now and then, is ended; others beside it are answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

HEAD, IDLE, WHOLE = 0.3, 0.2, 0.8
LARGE = 30_000_000
BASES = ["uvicorn.protocols.http.h11_impl:H11Protocol", "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once; ``/body`` after the body, ``/large`` with more than a connection holds."""
    if scope["path"] == "/body":
        while (await receive()).get("more_body"):
            pass
    body = b"x" * (LARGE if scope["path"] == "/large" else 2)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def served(base: str) -> AsyncIterator[int]:
    import uvicorn
    from uvicorn.importer import import_from_string

    from foretide.serving.connections import bounded

    class Quiet(uvicorn.Server):
        capture_signals = contextlib.nullcontext

    protocol = bounded(HEAD, IDLE, WHOLE, import_from_string(base))
    server = Quiet(uvicorn.Config(app, http=protocol, log_config=None, lifespan="off", timeout_keep_alive=IDLE))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def talk(port: int, first: bytes, drip: bytes = b"", *, reads: bool = True) -> tuple[float, bytes]:
    """Send, then a byte at a time; return the seconds until the connection was ended, and what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    began, got = time.monotonic(), b""
    writer.write(first)

    async def dripping() -> None:
        for k in range(1000):
            await asyncio.sleep(0.05)
            writer.write(drip[k % len(drip) :][:1])
            await writer.drain()

    slow = asyncio.create_task(dripping()) if drip else None
    if not reads:
        await asyncio.sleep(WHOLE + 1.0)
    with contextlib.suppress(ConnectionError):
        got = await asyncio.wait_for(reader.read(2 * LARGE), 10)
        while piece := await reader.read(2 * LARGE):
            got += piece
    seconds = time.monotonic() - began
    if slow is not None:
        slow.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await slow
    writer.close()
    return seconds, got


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
CASES: dict[str, Callable[[int], Any]] = {
    "nothing": lambda port: talk(port, b""),
    "a slow head": lambda port: talk(port, b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "nothing after an answer": lambda port: talk(port, GET + b"\r\n"),
    "a slow head after an answer": lambda port: talk(port, GET + b"\r\n", GET),
    "a slow body": lambda port: talk(port, b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b"x"),
    "a slow body after the answer": lambda port: talk(
        port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b"x"
    ),
    "an answer that is not taken": lambda port: talk(port, GET.replace(b"/ ", b"/large ", 1) + b"\r\n", reads=False),
}


@pytest.mark.parametrize("base", BASES)
def test_slow_connections_are_ended(base: str) -> None:
    if "httptools" in base:
        pytest.importorskip("httptools")

    async def all_at_once() -> list[tuple[float, bytes]]:
        async with served(base) as port:
            found: list[tuple[float, bytes]] = await asyncio.gather(*(case(port) for case in CASES.values()))
            return found

    found = dict(zip(CASES, asyncio.run(all_at_once()), strict=True))
    for name, (seconds, got) in found.items():
        assert seconds < 8, name
        assert (got.startswith(b"HTTP/1.1 200")) == ("answer" in name), (name, got[:80])
    assert found["nothing"][0] >= HEAD * 0.9
    assert len(found["an answer that is not taken"][1]) < LARGE
