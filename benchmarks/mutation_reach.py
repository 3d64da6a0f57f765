"""Which tests reach which lines: what ``mutation.py`` runs for a change."""

from __future__ import annotations

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("data", "heads", "evaluation", "forecasters")
TESTS = (*(f"tests/{room}" for room in ROOMS), *(f"src/foretide/{room}" for room in ROOMS),
         "tests/contracts", "tests/leakage", "tests/training", "tests/jobs", "tests/explain")  # fmt: skip
BUDGET = 40.0
"""CPU seconds of tests one change may take, on a quiet machine."""


# ------------------------------------------------------------------------- the copy
def copied(work: Path) -> Path:
    """Bring the copy of the checkout up to date, with compiled files that are checked by content."""
    copy = work / "checkout"
    listing = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in wanted:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != (ROOT / name).read_bytes():
            shutil.copyfile(ROOT / name, target)
    for extra in (p for p in copy.rglob("*.py") if p.relative_to(copy).as_posix() not in wanted):
        extra.unlink()
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(copy / "src")]
    subprocess.run(command, check=True)
    return copy


# ------------------------------------------------------------------------- which test reaches which line
class Recorder:
    """A pytest plugin: one coverage context for each test, and one for each shared fixture."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds, self.passed = coverage, defaultdict[str, float](float), dict[str, bool]()
        self.fixtures: dict[str, list[str]] = {}
        self._now = ""

    def _switch(self, context: str) -> str:
        before, self._now = self._now, context
        self.coverage.switch_context(context)
        return before

    def hooks(self) -> object:
        """Return the plugin; its hooks need pytest, which the watching process does not load."""
        import pytest

        recorder = self

        class Plugin:
            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
                recorder.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))
                recorder._switch(item.nodeid)
                begin = time.process_time()
                yield
                recorder.seconds[item.nodeid] = time.process_time() - begin
                recorder._switch("")

            @pytest.hookimpl(hookwrapper=True)
            def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
                if fixturedef.scope == "function":
                    yield
                    return
                before = recorder._switch(f"fixture {fixturedef.baseid} {fixturedef.argname}")
                yield
                recorder._switch(before)

            def pytest_runtest_logreport(self, report: Any) -> None:
                passed = recorder.passed.get(report.nodeid, True)
                recorder.passed[report.nodeid] = passed and report.outcome == "passed"

        return Plugin()


def record(copy: Path, tests: str, out: Path) -> None:
    """Run the tests of a folder and write which of them reach which lines (in a process of its own)."""
    os.chdir(copy)
    sys.path.insert(0, str(copy / "src"))
    coverage = importlib.import_module("coverage").Coverage(
        data_file=None, config_file=False, source=[str(copy / "src" / "foretide" / room) for room in ROOMS]
    )
    recorder = Recorder(coverage)
    coverage.start()
    import pytest

    pytest.main(["-q", "-m", "not timing and not browser", "-p", "no:cacheprovider", tests], plugins=[recorder.hooks()])
    coverage.stop()
    sound = [name for name, passed in recorder.passed.items() if passed]
    users: dict[str, list[str]] = defaultdict(list)
    for name in sound:
        for fixture in recorder.fixtures.get(name, ()):
            users[fixture].append(name)
    data, lines = coverage.get_data(), {}
    for file in data.measured_files():
        reached = {
            line: sorted({test for context in contexts if context for test in _tests(context, users)} & {*sound})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        lines[Path(file).relative_to(copy).as_posix()] = {line: names for line, names in reached.items() if names}
    out.write_text(json.dumps({"seconds": {name: recorder.seconds[name] for name in sound}, "lines": lines}))


def _tests(context: str, users: Mapping[str, list[str]]) -> list[str]:
    """Return the tests behind a context: itself, or all below a shared fixture's home that ask for it."""
    if not context.startswith("fixture "):
        return [context]
    _, home, fixture = context.split(" ", 2)
    return [name for name in users[fixture] if name.startswith(home)]


@dataclass(frozen=True)
class Change:
    """One small change: the whole file afterwards is made when it is needed.

    Attributes
    ----------
    file, function : str
        Where.
    number : int
        Which of the file's changes.
    first, last : int
        Lines of what is changed.
    within : tuple of int
        Lines of the function's body.
    text : str
        Before and after.
    """

    file: str
    function: str
    number: int
    first: int
    last: int
    within: tuple[int, int]
    text: str


@dataclass
class Reached:
    """Which tests reach a line, and how long they take.

    Attributes
    ----------
    seconds : dict
        CPU seconds by test.
    lines : dict
        Tests by file and line.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, set[str]]]

    @classmethod
    def of(cls, work: Path) -> Reached:
        seconds: dict[str, float] = {}
        lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for path in sorted(work.glob("map-*.json")):
            found = json.loads(path.read_text())
            seconds |= found["seconds"]
            for file, by_line in found["lines"].items():
                for line, names in by_line.items():
                    lines[file][int(line)].update(names)
        return cls(seconds, lines)

    def tests(self, change: Change) -> list[str]:
        """Return the tests that reach what is changed, the nearest and then the quickest first, within the budget.

        Where none does (a default is set before tests begin, the file was changed since), those of the whole function,
        else those of the whole file.
        """
        exact = (change.first, change.last)
        spans = [exact] if change.first >= change.within[0] else []  # a signature is read at import
        for first, last in (*spans, change.within, (0, math.inf)):
            near = (found for line, found in self.lines[change.file].items() if first <= line <= last)
            if names := set[str]().union(*near):
                break
        parts = Path(change.file).with_suffix("").parts[2:]  # without src/foretide

        def order(name: str) -> tuple[int, float]:
            test = Path(name.split("::")[0]).with_suffix("").parts[1:]
            same = sum(a == b.removeprefix("test_") for a, b in zip(parts, test, strict=False))
            return -same, self.seconds[name]

        chosen, total = [], 0.0
        for name in sorted(names, key=order):
            if total + self.seconds[name] <= BUDGET:
                total += self.seconds[name]
                chosen.append(name)
        return chosen
