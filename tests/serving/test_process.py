"""A service as a process: it starts, answers the client, reads its models again, and ends well."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import foretide
from served import TOKEN, sales

import foretide as ft
from foretide.errors import ConfigError, DataError, ServiceError
from foretide.forecasters.base import Forecaster

pytest.importorskip("fastapi", reason="the extra serve is not installed")


class Process:
    """A service of a folder, and what its log says."""

    def __init__(self, store: Path) -> None:
        command = [sys.executable, "-m", "foretide", "serve", str(store), "--port", "0"]
        environment = {**os.environ, "FORETIDE_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        self.lines = [json.loads(self.process.stderr.readline())]
        self.url = f"http://127.0.0.1:{self.lines[0]['port']}"
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(map(json.loads, self.process.stderr))

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.close()
        return code

    def close(self) -> None:
        self._reading.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("store")
    shutil.copytree(folder / "naive", place / "shop" / "1")
    return place


@pytest.fixture(scope="module")
def running(store: Path) -> Iterator[Process]:
    service = Process(store)
    yield service
    if service.process.poll() is None:
        service.process.kill()
        service.process.wait(10)
    service.close()


def test_the_client_says_what_python_says(running: Process, models: dict[str, Forecaster]) -> None:
    client, frame = ft.Client(running.url, TOKEN), sales(40, ("north", "new"), seed=4)
    assert client.ready()
    assert client.ready("shop")
    assert not client.ready("other")
    expected = models["naive"].predict(frame, quantiles=0.3, h=3).to_frame(notes=True)
    got = client.forecast(frame, quantiles=0.3, h=3, notes=True)
    pd.testing.assert_frame_equal(got, expected)
    panel = ft.Panel.from_frame(frame)
    assert list(client.forecast(panel, levels=())) == ["unique_id", "ds", "cutoff", "SeasonalNaive"]
    assert len(client.answer(frame, samples=4)["forecasts"][0]["samples"]) == 4
    assert client.models()[["name", "version", "h"]].to_numpy().tolist() == [["shop", "1", 7]]


def test_the_client_raises_what_python_raises(running: Process) -> None:
    client, frame = ft.Client(running.url, TOKEN), sales(20, ("x",))
    with pytest.raises(DataError, match="'y'"):
        client.forecast(frame.drop(columns="y"))
    with pytest.raises(ConfigError, match="forecasts 7 steps, not 9"):
        client.forecast(frame, h=9)
    with pytest.raises(ConfigError, match="looks like a fraction"):
        client.forecast(frame, levels=0.8)
    with pytest.raises(DataError, match="There is no model 'other'"):
        client.forecast(frame, model="other")
    with pytest.raises(ServiceError, match="Authorization"):
        ft.Client(running.url, "another-token-than-its").forecast(frame)
    with pytest.raises(ServiceError, match="Is `foretide serve` running"):
        ft.Client("http://127.0.0.1:1").models()
    with pytest.raises(ConfigError, match="address of a service"):
        ft.Client("file:///etc/passwd")


def test_reload_and_end_lose_no_request(
    running: Process, store: Path, models: dict[str, Forecaster], folder: Path
) -> None:
    client, frame = ft.Client(running.url, TOKEN), sales(40, ("north",))
    expected = models["naive"].predict(frame).to_frame()
    failed: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                pd.testing.assert_frame_equal(client.forecast(frame, version="1"), expected)
            except Exception as error:
                failed.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    shutil.copytree(folder / "promo", store / "shop" / "2")
    assert list(client.reload()["version"]) == ["1", "2"]
    shutil.rmtree(store / "shop" / "2")
    running.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if list(client.models()["version"]) == ["1"]:
            break
        threading.Event().wait(0.05)
    assert list(client.models()["version"]) == ["1"]
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert running.end() == 0
    assert not client.ready()
    assert [line["event"] for line in running.lines[-2:]] == ["stopping", "stopped"]
    written = json.dumps(running.lines)
    assert "north" not in written
    assert TOKEN not in written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--host", "0.0.0.0"), "there is no token. Type --token-file FILE"),
        (("--token-file", "{}/short"), "A token has at least 16"),
        (("--host", "300.1.1.1", "--no-token"), "Could not listen on 300.1.1.1"),
        (("--max-rows", "0"), "--max-rows"),
    ],
)  # fmt: skip
def test_what_it_does_not_start_with(folder: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "short").write_text("abc\n")
    said = foretide(
        "serve", str(folder / "naive"), *(word.format(tmp_path) for word in words), code=2, FORETIDE_TOKEN=""
    )
    assert message in said.stderr


def test_folders_without_models(tmp_path: Path) -> None:
    assert "holds no saved model" in foretide("serve", str(tmp_path), code=2).stderr


def test_without_its_packages_it_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.forecasters.gaussian.installed", lambda package: package != "prometheus_client")
    said = foretide("serve", str(folder / "naive"), code=2).stderr
    assert "'prometheus-client', which is not installed. Type: pip install 'foretide[serve]'" in said


def test_what_is_written_is_sent_at_once() -> None:
    # Head and body of an answer are two writes: the second would wait until the first is acknowledged, 40 ms later.
    from foretide.serving.server import Address

    async def nodelay() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            own = writer.get_extra_info("socket")
            found.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening = Address(port=0).listen()
        async with await asyncio.start_server(accepted, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            await found
            writer.close()
        return found.result()

    assert asyncio.run(nodelay())
