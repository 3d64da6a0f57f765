"""Writes the golden values: ``python tests/golden/record.py [--words] [--into FOLDER] [case …]``.

Numbers and words of every case lie in files of their own. ``--words`` writes the words alone: for sentences that were
put better, while the numbers must hold.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from comparing import VALUES, machine
from golden_cases import CASES, make, missing_data


def write(path: Path, value: Any) -> None:
    """Write JSON, short lists on one line."""
    encoder = json.JSONEncoder(ensure_ascii=False)

    def lines(part: Any, depth: int) -> str:
        nested = isinstance(part, dict | list) and any(isinstance(p, dict | list | str) for p in values(part))
        if not nested:
            return encoder.encode(part)
        gap, end = "\n" + " " * (depth + 1), "\n" + " " * depth
        if isinstance(part, dict):
            inner = ("," + gap).join(f"{encoder.encode(k)}: {lines(v, depth + 1)}" for k, v in part.items())
            return "{" + gap + inner + end + "}"
        return "[" + gap + ("," + gap).join(lines(v, depth + 1) for v in part) + end + "]"

    path.write_text(lines(value, 0) + "\n", "utf-8")


def values(part: Any) -> Any:
    """Return what a container holds; of a list that begins with numbers, nothing that asks for lines of its own."""
    if isinstance(part, dict):
        return part.values()
    return () if part and isinstance(part[0], int | float) else part


def main() -> None:
    """Record the cases named, all by default."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    ask.add_argument("--words", action="store_true", help="write the words alone")
    ask.add_argument("--into", type=Path, default=VALUES)
    asked = ask.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    if not asked.words:
        write(asked.into / "machine.json", machine())
    for name in asked.cases or CASES:
        reason = missing_data(name)
        if reason:
            print(f"{name}: left out, {reason}")
            continue
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            numbers, words = make(name, Path(folder))
        write(asked.into / f"{name}.words.json", words)
        if not asked.words:
            write(asked.into / f"{name}.numbers.json", numbers)
        print(f"{name}: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
