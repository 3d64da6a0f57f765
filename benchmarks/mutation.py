"""Would the tests notice? Small changes to the core, one at a time, each against the tests that reach its line.

    pip install mutmut==3.8.0 coverage            # in an environment that holds foretide's development packages
    python benchmarks/mutation.py map             # once: which test reaches which line, and how long it takes
    python benchmarks/mutation.py run --each 40   # so many changes of every room, drawn at random
    python benchmarks/mutation.py score           # the table of docs/mutation.md

The changes are those of mutmut (its operators, not its trampolines: those would change signatures, on which settings
rest). They are drawn at random among all that can be made in functions of a room; changed words of sentences are left
out. Everything happens in a copy of the checkout under ``--work``. Each change runs in a fork that has numpy, pandas
and torch but not foretide; it counts as noticed when a test fails or takes many times as long. A run that was stopped
goes on where it was; ``run --again`` repeats those that survived.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mutation_reach import ROOMS, ROOT, TESTS, Change, Reached, copied, record

RESULTS = ROOT / "benchmarks" / "results" / "mutation.csv"
WARM = ("numpy", "pandas", "scipy.stats", "scipy.optimize", "scipy.signal", "pyarrow.parquet", "torch",
        "statsmodels.api", "lightgbm", "sklearn.linear_model", "polars", "safetensors.numpy")  # fmt: skip
MISSED = ("survived", "no test")
COLUMNS = ("seed", "room", "file", "line", "function", "change", "first", "outcome", "tests", "by", "seconds")


# ------------------------------------------------------------------------- changes
def changes(copy: Path, file: str) -> list[Change]:
    """List what mutmut would change in the functions of a file; words of sentences are left out."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    module, found, *_ = _mutations(copy, file)
    where = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    listed, seen = [], Counter[tuple[str, str]]()
    for number, mutation in enumerate(found):
        inside, node = mutation.contained_by_top_level_function, mutation.original_node
        if not isinstance(inside, cst.FunctionDef) or _is_sentence(node):
            continue
        place = where.get(node) or where[inside]
        before, after = (re.sub(r"\s+", " ", module.code_for_node(n)) for n in (node, mutation.mutated_node))
        text = f"{before[:150]} -> {after[:150]}"
        seen[inside.name.value, text] += 1
        if (times := seen[inside.name.value, text]) > 1:
            text += f" (no. {times})"
        within = where[inside.body].start.line, where[inside.body].end.line
        listed.append(Change(file, inside.name.value, number, place.start.line, place.end.line, within, text))
    return listed


def _mutations(copy: Path, file: str) -> tuple[Any, ...]:
    maker = importlib.import_module("mutmut.mutation.file_mutation")
    return tuple(maker.create_mutations(file, (copy / file).read_text(encoding="utf-8")))


def _is_sentence(node: Any) -> bool:
    return type(node).__name__ == "SimpleString" and " " in node.value.strip("\"' ")


def changed(copy: Path, change: Change) -> str:
    """Return the file's text with the change."""
    module, found, *_ = _mutations(copy, change.file)
    mutation = found[change.number]
    code: str = module.deep_replace(mutation.original_node, mutation.mutated_node).code
    return code


def drawn(copy: Path, work: Path, room: str, seed: int) -> list[Change]:
    """Return all changes of a room in random order; the list of them is kept in the work folder."""
    kept = work / f"changes-{room}.json"
    files = sorted((copy / "src/foretide" / room).rglob("*.py"))
    before, now = json.loads(kept.read_text()) if kept.exists() else {}, {}
    for path in files:
        file, text = path.relative_to(copy).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
        key = f"{file} {text}"
        now[key] = before[key] if key in before else [asdict(change) for change in changes(copy, file)]
    kept.write_text(json.dumps(now))
    listed = [Change(**change) for every in now.values() for change in every]

    def order(change: Change) -> bytes:
        return hashlib.sha256(f"{seed}/{change.file}/{change.function}/{change.text}".encode()).digest()

    return sorted(listed, key=order)  # a change elsewhere leaves the order as it is


def missed_before(copy: Path, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes that no test noticed, as far as they can still be made."""
    missed = {_key(row) for row in rows if row["outcome"] in MISSED}
    every = [change for file in sorted({file for file, *_ in missed}) for change in changes(copy, file)]
    return [change for change in every if (change.file, change.function, change.text) in missed]


# ------------------------------------------------------------------------- running one
class Chosen:
    """A pytest plugin: only these tests, in this order; remembers the first that fails."""

    def __init__(self, names: Sequence[str], out: Path) -> None:
        self.order, self.out = {name: k for k, name in enumerate(names)}, out

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.out.exists():
            self.out.write_text(report.nodeid)


def tried(copy: Path, change: Change, names: Sequence[str], expected: float) -> tuple[str, str]:
    """Run the tests on the changed file in a fork; return the outcome, and the test that noticed."""
    path = copy / change.file
    before = path.read_bytes()
    try:
        path.write_text(changed(copy, change), encoding="utf-8")
        return forked(copy, names, expected)
    finally:
        path.write_bytes(before)


def forked(copy: Path, names: Sequence[str], expected: float) -> tuple[str, str]:
    """Run tests in a fork; return the outcome, and the first test that failed."""
    with tempfile.TemporaryDirectory() as folder:
        by, log = Path(folder) / "by", Path(folder) / "log"
        child = os.fork()
        if child == 0:
            _child(copy, names, by, log, expected)
        outcome = _waited(child, expected)
        if outcome == "broken":
            raise RuntimeError(f"pytest did not run:\n{log.read_text()[-3000:]}")
        return outcome, by.read_text() if by.exists() else "import" if outcome == "noticed" else ""


def _child(copy: Path, names: Sequence[str], by: Path, log: Path, expected: float) -> None:
    """Run the tests and end, in the fork."""
    code = 70
    try:
        os.setsid()
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        limit = int(30 + 6 * expected)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        os.chdir(copy)
        sys.path.insert(0, str(copy / "src"))
        os.environ["PYTHONPATH"] = str(copy / "src")
        sys.dont_write_bytecode = True
        import pytest

        files = sorted({name.split("::")[0] for name in names})
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], plugins=[Chosen(names, by)]))
    except BaseException:
        log.write_text(traceback.format_exc())
    finally:
        os._exit(code)


def _waited(child: int, expected: float) -> str:
    """Wait for a fork and name its end."""
    end = time.monotonic() + 10 * (30 + 6 * expected)
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return "late" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else "crash"
            return {0: "survived", 1: "noticed", 2: "noticed", 5: "no test"}.get(os.WEXITSTATUS(status), "broken")
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "late"


def run(work: Path, rooms: Sequence[str], each: int, seed: int, again: bool) -> None:
    """Try so many changes of each room, one of every room in turn, and write each at once."""
    copy = copied(work)
    reached = Reached.of(work)
    for name in WARM:
        importlib.import_module(name)
    rows = _rows()
    known = {_key(row) for row in rows}
    if again:
        lists = {room: missed_before(copy, [row for row in rows if row["room"] == room]) for room in rooms}
    else:
        lists = {room: drawn(copy, work, room, seed)[:each] for room in rooms}
    for turn in range(max(len(wanted) for wanted in lists.values())):
        for room in rooms:
            change = lists[room][turn] if turn < len(lists[room]) else None
            if change is None or (not again and (change.file, change.function, change.text) in known):
                continue  # tried before
            names = reached.tests(change)
            begin = time.monotonic()
            expected = sum(reached.seconds[name] for name in names)
            outcome, by = tried(copy, change, names, expected) if names else ("no test", "")
            row = {"room": room, "file": change.file, "line": change.first, "function": change.function,
                   "change": change.text, "outcome": outcome, "tests": len(names), "by": by,
                   "seconds": f"{time.monotonic() - begin:.1f}"}  # fmt: skip
            former = {_key(r): r for r in _rows()}
            row |= {"first": outcome, "seed": seed}
            row |= {name: former[_key(row)][name] for name in ("first", "seed") if _key(row) in former}
            rows = list({**former, _key(row): row}.values())
            _write(rows)
            print(f"{room:12}{outcome:9}{row['seconds']:>7} s  {change.file}:{change.first}  {change.text}", flush=True)
    control(copy, reached, rows)


def control(copy: Path, reached: Reached, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run every test that noticed something on the unchanged code, where all of them must pass."""
    names = sorted({row["by"] for row in rows if row["by"] in reached.seconds})
    outcome, by = forked(copy, names, sum(reached.seconds[name] for name in names))
    if outcome != "survived":
        raise RuntimeError(f"{by} fails on the code as it is ({outcome}), so what it noticed does not count.")
    print(f"control: {len(names)} tests pass on the code as it is")


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["file"], row["function"], row["change"]


def _rows() -> list[dict[str, Any]]:
    if not RESULTS.exists():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(rows: Sequence[Mapping[str, Any]]) -> None:
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda r: (r["room"], r["file"], int(r["line"]), r["change"])))


# ------------------------------------------------------------------------- the score
def wilson(part: int, of: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, 95 %."""
    z, share = 1.96, part / of
    middle, spread = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def score() -> None:
    """Print the share noticed by room, when first tried and since, of every sample."""
    rows = _rows()
    for seed in sorted({row["seed"] for row in rows}, key=int):
        print(f"\nseed {seed}\n")
        _scored([row for row in rows if row["seed"] == seed])


def _scored(rows: Sequence[Mapping[str, Any]]) -> None:
    print("| room | changes drawn | noticed at first | 95 % interval | with the tests added since |")
    print("|---|---|---|---|---|")
    for room in (*ROOMS, "all"):
        own = [r for r in rows if room in ("all", r["room"])]
        if own:
            first, now = (sum(r[when] not in MISSED for r in own) for when in ("first", "outcome"))
            low, high = wilson(first, len(own))
            part = f"{first / len(own):.0%} | {low:.0%} to {high:.0%}"
            print(f"| {room} | {len(own)} | {part} | {now / len(own):.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "score", "record"))
    parser.add_argument("tests", nargs="*", help="map: folders of tests, all by default")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "foretide-mutation")
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=ROOMS)
    parser.add_argument("--each", type=int, default=40, help="changes of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="run: repeat those that survived")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.what == "map":
        copied(chosen.work)
        for tests in chosen.tests or TESTS:
            command = [sys.executable, __file__, "record", tests, "--work", str(chosen.work)]
            subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(chosen.work / "checkout" / "src")})
    elif chosen.what == "record":
        (tests,) = chosen.tests
        record(chosen.work / "checkout", tests, chosen.work / f"map-{tests.replace('/', '-')}.json")
    elif chosen.what == "run":
        run(chosen.work, chosen.rooms, chosen.each, chosen.seed, chosen.again)
    else:
        score()


if __name__ == "__main__":
    main()
