"""How the service stands a load: 32 clients for a minute beside one client at a time; latencies, throughput, memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from common import arguments, save

import foretide as ft

LOOKBACK, H = 168, 24


def fitted(folder: Path) -> None:
    """Save an LSTM of three hourly series, trained as far as speed needs it."""
    rng, n = np.random.default_rng(0), 1500
    day = 10 + 3 * np.sin(np.arange(n) / 24 * 2 * np.pi)
    times = pd.date_range("2024-01-01", periods=n, freq="h")
    frame = pd.concat([pd.DataFrame({"unique_id": k, "ds": times, "y": day + rng.normal(size=n)}) for k in "abc"])
    ft.LSTM(h=H, input_size=LOOKBACK, hidden=32, epochs=1).fit(ft.Panel.from_frame(frame)).save(folder / "lstm")


def request(k: int) -> bytes:
    """Return a whole request of HTTP with its own history, as records."""
    rng = np.random.default_rng(k)
    times = pd.date_range("2024-03-05", periods=LOOKBACK, freq="h").astype(str)
    values = np.round(10 + 3 * np.sin((np.arange(LOOKBACK) + k) / 24 * 2 * np.pi) + rng.normal(size=LOOKBACK), 3)
    name = "abc"[k] if k < 3 else f"new{k}"
    rows = [{"unique_id": name, "ds": t, "y": y} for t, y in zip(times, values.tolist(), strict=True)]
    body = json.dumps({"history": rows}).encode()
    head = ["POST /v1/forecast HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def client(port: int, content: bytes, until: float, seconds: list[float], failed: list[bytes]) -> None:
    """Ask again and again over one connection; read answers as raw bytes, for the load shares the machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 200"):
            failed.append(head[:40])
    writer.close()


async def load(port: int, clients: int, duration: float) -> tuple[list[float], list[bytes]]:
    """Return the latencies and the failures of a number of clients."""
    seconds: list[float] = []
    failed: list[bytes] = []
    until = time.perf_counter() + duration
    await asyncio.gather(*(client(port, request(k), until, seconds, failed) for k in range(clients)))
    return seconds, failed


def main() -> None:
    """Start a service, ask it alone and together, and write down what it did."""
    chosen = arguments(__doc__, seconds={"type": float, "default": 60.0}, clients={"type": int, "default": 32})
    with tempfile.TemporaryDirectory() as folder:
        fitted(Path(folder))
        environment = {**os.environ, "OMP_NUM_THREADS": str(chosen.threads)}
        command = [sys.executable, "-m", "foretide", "serve", folder, "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert server.stderr is not None
        port = json.loads(server.stderr.readline())["port"]
        quiet = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        process, rows = psutil.Process(server.pid), []
        asyncio.run(load(port, 4, 2.0))
        for name, clients, duration in (
            ("one at a time", 1, chosen.seconds / 6),
            (f"{chosen.clients} clients", chosen.clients, chosen.seconds),
        ):
            before, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
            seconds, failed = asyncio.run(load(port, clients, duration))
            ms = 1000 * np.array(seconds)
            rows.append(
                {
                    "load": name, "requests": len(ms), "failed": len(failed), "per_second": len(ms) / duration,
                    "median_ms": np.median(ms), "p99_ms": np.quantile(ms, 0.99), "worst_ms": ms.max(),
                    "server_cpu_ms": 1000 * (sum(process.cpu_times()[:2]) - cpu) / len(ms),
                    "memory_before_mb": before / 2**20, "memory_after_mb": process.memory_info().rss / 2**20,
                }
            )  # fmt: skip
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        quiet.wait(10)
    alone, together = rows
    for row in rows:
        row["throughput_ratio"] = row["per_second"] / alone["per_second"]
        row["p99_over_single_median"] = row["p99_ms"] / alone["median_ms"]
    save("serving", rows, chosen.threads)
    assert not together["failed"]


if __name__ == "__main__":
    main()
