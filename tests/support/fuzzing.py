"""What the fuzzers share: a process that takes one input after the other, and one that watches it.

A fuzzer is a script with ``prepared(rng, folder)``, which makes one input and returns a function that uses it and says
``used`` or ``refused``. Every input follows from the seed and its number alone, so that one line repeats it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

SLACK = 40.0
"""Seconds to make one input."""
MEMORY = 6 << 30
"""Bytes of addresses a fuzzer may take; libraries take three of these gigabytes at once."""
NUMBERS = (
    "1e12345678901", "1e29984191646", "-1e999", "1e-99999", "inf", "nan", "NA", "", "-", "0x1F", "1,5", "1.5", "2,200",
    "2.200", "1.234.567", "1,234,567.8", "1 234,5", "1'234.5", "1\u00a0234", "12 %", "€ 3", "(5)", "−4", "+7", "007",
    "9" * 400, "0." + "1" * 400, "True", "1_000", "1.2.3", "1,2,3", "²", "١٢", "1e", "e5", "--1", ".", ",", "1d5",
)  # fmt: skip
TIMES = (
    "2024-13-01", "2024-02-30", "13/13/2024", "02/03/2024", "0000-00-00", "9999-12-31", "2270-01-01", "1500-01-01",
    "2024-01-01T00:00:00+05:30", "2024-03-31 02:30", "20240131", "1706659200", "2024Q1", "2024-W05", "24:00", "now", "",
)  # fmt: skip

Reading = Callable[[], str]
Prepared = Callable[[random.Random, Path], Reading]


# ------------------------------------------------------------------------- values and edits
def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where everything in nested dictionaries and lists stands, without the outermost."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from places(item, (*path, k))


def edited(value: Any, rng: random.Random, odd: Sequence[Any], words: Sequence[str] = ()) -> Any:
    """Change one place of nested dictionaries and lists, in the value itself: another value, no value, another key."""
    found = list(places(value))
    if not found:
        return rng.choice(odd)
    *above, last = rng.choice(found)
    holder = value
    for key in above:
        holder = holder[key]
    kind = rng.randrange(8)
    if kind < 3:
        holder[last] = rng.choice(odd)
    elif kind == 3:
        del holder[last]
    elif kind == 4:
        holder[last] = rng.choice([lambda v: [v], lambda v: {"a": v}, lambda v: [v, v], str])(holder[last])
    elif kind == 5 and isinstance(holder, dict):
        holder[rng.choice([*words, str(last)[:-1], f"{last}x", str(last).upper(), ""])] = holder.pop(last)
    elif kind == 6 and isinstance(holder, dict):
        holder[rng.choice([*words, "surplus"])] = rng.choice(odd)
    elif isinstance(holder[last], (int, float)) and not isinstance(holder[last], bool):
        holder[last] = rng.choice([0, -1, 1, 2, 10, 1000, 0.5, -holder[last], holder[last] + 1, holder[last] * 10])
    else:
        other = rng.choice(found)
        taken = value
        for key in other:
            taken = taken[key] if isinstance(taken, (dict, list)) and _has(taken, key) else None
        holder[last] = json.loads(json.dumps(taken, default=str))
    return value


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)


def bytes_damaged(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a part overwritten, left out, repeated or put in, or without their end."""
    at, size = rng.randint(0, max(len(data), 1)), rng.choice([1, 1, 2, 7, 60, 500])
    kind = rng.randrange(6)
    if kind == 0:
        return data[:at] + bytes(rng.randrange(256) for _ in range(size)) + data[at + size :]
    if kind == 1:
        return data[:at] + data[at + size :]
    if kind == 2:
        return data[:at]
    if kind == 3:
        return data[:at] + data[max(0, at - size) : at] + data[at:]
    if kind == 4 and at < len(data):
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    return data[:at] + rng.choice([b"\0", b"\xff", b"\n", b'"', b"9" * size, b"[" * 50 * size]) + data[at:]


# ------------------------------------------------------------------------- using one
def work(prepared: Prepared, seed: int) -> None:
    """Use inputs one after the other, for the process that watches."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    os.environ.setdefault("FORETIDE_LARGEST_TABLE", f"{MEMORY // 4}")  # as of a machine with so much memory
    from foretide.errors import ForetideError

    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever is printed while working is no answer
    with tempfile.TemporaryDirectory() as folder:
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            said: dict[str, Any] = {}
            begin = time.perf_counter()
            try:
                using = prepared(random.Random(f"{seed}/{int(line)}"), Path(folder))
                begin = time.perf_counter()
                said = {"is": using()}
            except ForetideError:
                said = {"is": "refused"}
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                own = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "foretide" in f.filename]
                what = f"{type(error).__name__}: {str(error)[:200]}"
                said = {"is": "exception", "what": what, "where": own[-1] if own else str(frames[-1])}
            seconds = time.perf_counter() - begin
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({**said, "seconds": seconds, "memory": memory}), file=answers, flush=True)


# ------------------------------------------------------------------------- watching
@dataclass
class Outcome:
    """What came of a run: counts, and what should not have been."""

    inputs: int = 0
    used: int = 0
    refused: int = 0
    total: float = 0.0
    slowest: float = 0.0
    memory: float = 0.0
    exceptions: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.exceptions or self.deaths or self.late)


def watch(
    script: str, seed: int, seconds: float, most: int | None = None, first: int = 0, limit: float = 20.0,
    more: Sequence[str] = (),
) -> Outcome:  # fmt: skip
    """Let a script use inputs for some seconds, those of making them not counted, or until so many were used."""
    outcome, number, end = Outcome(), first, time.monotonic() + 3 * seconds + SLACK
    command = [sys.executable, script, "--work", "--seed", str(seed), *more]

    def goes_on() -> bool:
        return time.monotonic() < end and outcome.total < seconds and (most is None or outcome.inputs < most)

    while goes_on():
        for number, said in _answers(command, number, goes_on, limit):  # noqa: B020
            outcome.inputs += 1
            outcome.total += said["seconds"]
            outcome.slowest = max(outcome.slowest, said["seconds"])
            outcome.memory = max(outcome.memory, said.get("memory", 0.0))
            label = f"seed {seed}, number {number}"
            if said["is"] == "exception":
                outcome.exceptions.append(f"{label}: {said['what']} ({said['where']})")
            elif said["is"] == "death":
                outcome.deaths.append(f"{label}: the process ended with {said['code']}")
            elif said["is"] == "late" or said["seconds"] > limit:
                outcome.late.append(f"{label}: {said['seconds']:.1f} s")
            else:
                setattr(outcome, said["is"], getattr(outcome, said["is"]) + 1)
        number += 1
    return outcome


def _answers(
    command: list[str], number: int, goes_on: Callable[[], bool], limit: float
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what one process says of each input, until time is up, or it dies or hangs."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while goes_on():
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], limit + SLACK)[0]:
                process.kill()
                yield number, {"is": "late", "seconds": limit + SLACK}
                return
            line = process.stdout.readline()
            if not line:
                yield number, {"is": "death", "code": process.wait(), "seconds": 0.0}
                return
            yield number, json.loads(line)
            number += 1
        process.stdin.close()


def save(outcome: Outcome, path: Path, seed: int, seconds: float) -> None:
    """Write one line of figures with the versions."""
    row = {
        "seed": seed, "seconds": round(seconds), "inputs": outcome.inputs, "used": outcome.used,
        "refused": outcome.refused, "other_exceptions": len(outcome.exceptions), "deaths": len(outcome.deaths),
        "too_slow": len(outcome.late), "slowest_s": round(outcome.slowest, 2), "most_MB": round(outcome.memory),
        **{name: version(name) for name in ("foretide", "pandas", "pyarrow", "numpy")},
        "python": platform.python_version(),
    }  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


def main(script: str, about: str | None, prepared: Prepared, limit: float = 20.0) -> int:
    """Run a fuzzer as a command; 1 where anything was found."""
    if hasattr(sys, "getwindowsversion"):
        raise SystemExit("the fuzzers need a Unix system")
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, help="stop after so many inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--out", type=Path, help="CSV file for the figures")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="use this one input here, with its traceback")
    parser.add_argument("--brief", action="store_true", help="leave out what takes seconds to make")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(prepared, chosen.seed)
        return 0
    if chosen.show is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(prepared(random.Random(f"{chosen.seed}/{chosen.show}"), Path(folder))())
        return 0
    begin = time.monotonic()
    more = ["--brief"] if chosen.brief else []
    outcome = watch(script, chosen.seed, chosen.seconds, chosen.most, chosen.first, limit, more)
    print(
        f"{outcome.inputs} inputs: {outcome.used} used, {outcome.refused} refused, slowest {outcome.slowest:.1f} s, "
        f"{outcome.memory:.0f} MB"
    )
    for kind in ("exceptions", "deaths", "late"):
        for line in getattr(outcome, kind):
            print(f"{kind}: {line}")
    if chosen.out is not None:
        save(outcome, chosen.out, chosen.seed, time.monotonic() - begin)
    return 0 if outcome.ok else 1
