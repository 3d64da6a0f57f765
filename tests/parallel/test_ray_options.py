"""What Ray is told and what it is sent, as far as no Ray is needed for it."""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from foretide.errors import ConfigError, MissingExtraError, StorageError
from foretide.parallel import EXECUTORS, RayExecutor, using
from foretide.parallel.outbox import Parcel, collected, deliver, outbox
from foretide.parallel.ray_address import knock

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra ray: pip install 'foretide[ray]'"
)


def test_an_outbox_sends_files_and_folders(tmp_path: Path) -> None:
    with collected(far=True) as parcels:
        with outbox(tmp_path / "a.txt") as place:
            place.write_text("one")
        with outbox(tmp_path / "b") as place:
            (place / "in").mkdir(parents=True)
            (place / "in" / "c").write_text("two")
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):  # a new version replaces the former one
        deliver(parcels)
        assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
            "a.txt",
            "b",
            "b/in",
            "b/in/c",
        ]
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="mine.txt, which would be lost"):
        deliver(parcels)
    assert (tmp_path / "b" / "mine.txt").read_text() == "mine"
    deliver([Parcel(str(tmp_path / "d"), {"in/c": b"three"})])
    assert (tmp_path / "d" / "in" / "c").read_text() == "three"


@pytest.mark.parametrize(
    "says", [b"HTTP/1.0 400 Bad Request\r\n", b"\0", b"", None], ids=["web", "short", "ends", "silent"]
)
def test_what_is_no_ray_cluster_is_refused_at_once(says: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.parallel.ray_address.PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                if says is None:
                    time.sleep(0.5)
                else:
                    line.sendall(says)
                    line.recv(100)

        served, address = pool.submit(serve), f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"What listens at {address} does not answer as a Ray cluster does"):
            knock(address)
        served.result()


@needs_ray
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": ""}, "address is that of a cluster's head"),
        ({"insecure": "yes"}, "insecure is true or false, got 'yes'"),
        ({"gpus": -1}, "gpus is how many GPUs each task asks for"),
        ({"n_jobs": 0}, "n_jobs is how many tasks run side by side"),
        ({"adress": "a"}, "has no option 'adress'. Did you mean 'address'"),
        (3, "options of the executor 'ray' are keys and values, got 3"),
    ],
)
def test_wrong_options(options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message), using({"ray": options}):
        pass
    assert "ray" in EXECUTORS


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'foretide\[ray\]'"):
        RayExecutor()
