"""Random damage to requests of the service: whatever comes in, the answer is one of HTTP's 2xx or 4xx, and quick.

    python tests/fuzz/service.py --seconds 600 --seed 0 [--show NUMBER]

Every request follows from the seed and its number alone. The service and its client are one process, so a death ends
the run. Exit code 1 where anything was found.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from served import fitted, records, sales

SLOW = 5.0
"""Seconds of computing that one request may take."""
CELLS = (
    None, True, False, 0, -1, 1e308, -1e308, 1e-320, 10**18, 10**400, 2**63, 1.5, "", " ", "x", "1", "1,5", "NaN",
    "inf", "2024-01-01", "2024-01-01T00:00:00Z", "2024-03-31T02:30:00+02:00", "now", "NaT", "0000-01-01", "9999-12-31",
    "1677-09-22", "2262-04-11", "2024-13-01", "05/06/2024", "2024Q1", "2024-W05", "20240131", "+10000-01-01", "\0",
    "é" * 300, "\ud800", "'; drop table", "=1+1", [], {}, [1], {"a": 1}, [[1.0]], "a" * 100_000,
)  # fmt: skip
KEYS = ("unique_id", "ds", "y", "promo", "tea", "milk", "", "\0", "cutoff", "SeasonalNaive", "index", "note", "é" * 300)
SETTINGS = (
    "model",
    "version",
    "h",
    "levels",
    "quantiles",
    "samples",
    "seed",
    "notes",
    "attention",
    "history",
    "future",
)
BYTES = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"\xff",
    b"\0",
    b"[" * 5000,
    b"9" * 5000,
    b"{",
    b"}",
    b"null",
    b'"',
)


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """Return requests that are answered."""
    frame, ahead = sales(20, ("north", "new")), sales(30, ("north",), known=True)
    two = sales(20, ("x",)).rename(columns={"y": "tea"}).assign(milk=1.0)
    rows = [{"ds": k, "y": float(k)} for k in range(9)]
    wide = {name: [row[name] for row in records(frame)] for name in ("unique_id", "ds", "y")}
    later = records(ahead[20:].drop(columns="y"))
    options = {"horizon": 3, "quantiles": [0.1]}
    entry = {"name": "x", "series": [1.0, 2.0, 3.0], "frequency": "D", "start_timestamp": "2024-01-01"}
    return [
        ("/v1/forecast", {"model": "naive", "history": records(frame), "h": 3, "levels": [80], "quantiles": [0.3]}),
        ("/v1/forecast", {"model": "naive", "history": wide}),
        ("/v1/forecast", {"model": "promo", "history": records(ahead[:20]), "future": later}),
        ("/v1/forecast", {"model": "counted", "history": rows, "samples": 4, "notes": True}),
        ("/v1/forecast", {"model": "two", "history": records(two), "version": "1"}),
        ("/v1/timeseries/forecast", {"model": "naive", "inputs": [entry], "options": options}),
        (
            "/v1/timeseries/forecast",
            {
                "model": "two",
                "inputs": [{**entry, "type": "multivariate_time_series", "series": [[1, 2], [3, None], [5, 6]]}],
                "options": {"horizon": 2},
            },
        ),
    ]  # fmt: skip


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of everything inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*where, key)
        yield from places(inside, (*where, key))


def damaged(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a body with something changed, dropped, repeated or added somewhere."""
    body = copy.deepcopy(body)
    every = list(places(body))
    if not every:  # an earlier edit left nothing
        return body
    *above, key = rng.choice(every) if rng.random() < 0.7 else rng.choice([place for place in every if len(place) < 3])
    holder: Any = body
    for step in above:
        holder = holder[step]
    deed = rng.randrange(6)
    if deed == 0:
        del holder[key]
    elif deed == 1 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[: rng.randrange(1, 4)]))
    elif deed == 2 and isinstance(holder, dict):
        holder[rng.choice(KEYS + SETTINGS)] = rng.choice(CELLS)
    elif deed == 3 and isinstance(holder, list):
        rng.shuffle(holder)
    elif deed == 4:
        holder[key] = copy.deepcopy(body)
    else:
        holder[key] = rng.choice(CELLS)
    return body


def parquet(rng: random.Random) -> bytes:
    """Return a damaged Parquet file."""
    frame, out = sales(20, ("north", "new")), io.BytesIO()
    name = rng.choice(list(frame))
    if rng.random() < 0.6:
        frame[name] = rng.choice(
            [
                frame[name].astype(str), frame[name].to_numpy()[::-1].copy(), None, 1.0, "x", b"\xff", True,
                frame["ds"].dt.tz_localize("Europe/Berlin"), frame["ds"].dt.date, frame["ds"].astype("datetime64[s]"),
                [[1]] * len(frame), frame["ds"] - frame["ds"].min(), frame["y"].astype("float32"),
            ]
        )  # fmt: skip
    frame.to_parquet(out, compression=rng.choice(["snappy", "gzip", None]))
    content = bytearray(out.getvalue())
    for _ in range(rng.choice([0, 0, 1, 3, 20])):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content[: rng.choice([len(content), len(content), rng.randrange(len(content))])])


def request(number: int, seed: int) -> tuple[str, bytes, dict[str, str]]:
    """Return the path, the body and the headers of one request."""
    rng = random.Random(f"{seed}:{number}")
    if rng.random() < 0.15:
        query = rng.choice(
            ["", "?model=naive", "?model=naive&levels=80,x", "?model=naive&h=0", "?model=two&samples=3", "?x=1"]
        )
        return f"/v1/forecast{query}", parquet(rng), {"Content-Type": "application/vnd.apache.parquet"}
    path, body = rng.choice(bodies())
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        body = damaged(body, rng)
    try:
        content = bytearray(json.dumps(body).encode())
    except (ValueError, RecursionError):
        content = bytearray(b"{}")
    if rng.random() < 0.2:
        at = rng.randrange(len(content) + 1)
        content[at : at + rng.randrange(8)] = rng.choice(BYTES)
    kind = (
        "application/json" if rng.random() < 0.97 else rng.choice(["", "text/csv", "application/json; charset=x", "%"])
    )
    return path, bytes(content), {"Content-Type": kind}


@contextmanager
def client() -> Iterator[Any]:
    """Serve a few models in this process."""
    from starlette.testclient import TestClient

    from foretide.serving.app import application
    from foretide.serving.limits import Limits
    from foretide.serving.models import Shelf
    from foretide.serving.service import Service

    with tempfile.TemporaryDirectory() as folder:
        for name, model in fitted().items():
            model.save(Path(folder) / name)
        service = Service(Shelf([folder]), Limits(rows=2000))
        yield TestClient(application(service), raise_server_exceptions=False)
        service.close()


def attempt(ask: Callable[..., Any], number: int, seed: int) -> tuple[int, str]:
    """Send one request; return the status, and what is wrong with the answer."""
    path, content, headers = request(number, seed)
    began = time.process_time()
    answer = ask(path, content=content, headers=headers)
    took, status = time.process_time() - began, answer.status_code
    if status >= 500:
        return status, f"{status}: {answer.text[:200]}"
    try:
        said = json.loads(answer.content, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError) as error:
        return status, f"no JSON: {error!r}"
    if status >= 400 and set(said["error"]) != {"message", "type"}:
        return status, f"no error of ours: {answer.text[:200]}"
    return status, f"{took:.1f} seconds" if took > SLOW else ""


def main() -> int:
    """Attack for some time, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int)
    chosen = parser.parse_args()
    if chosen.show is not None:
        print(request(chosen.show, chosen.seed))
    counts: Counter[int] = Counter()
    found, number, until = 0, chosen.show or 0, time.monotonic() + chosen.seconds
    with client() as service:
        while time.monotonic() < until:
            status, wrong = attempt(service.post, number, chosen.seed)
            counts[status] += 1
            if wrong:
                found += 1
                print(f"request {number}: {wrong}", flush=True)
            number += 1
            if chosen.show is not None:
                break
    print(f"{sum(counts.values())} requests, {found} found; by status: {dict(sorted(counts.items()))}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
