"""Compares what a case gives now with what was recorded, and says where they differ."""

from __future__ import annotations

import difflib
import json
import math
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VALUES = Path(__file__).parent / "values"
SAME = 1e-9
"""Relative and absolute, on the machine that recorded: networks give the same bits there."""
ELSEWHERE = 1e-7
"""Of models in closed form on any machine: another BLAS adds in another order."""
TRAINED = re.compile(r"Attention|LSTM|LAVAR|blend|best")
"""Models that are trained, by their names in the cases; elsewhere theirs are other bits, and are not compared."""


def machine() -> dict[str, str]:
    """Return what the bits of a trained network depend on."""
    import numpy
    import torch

    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else platform.processor()
    names = re.findall(r"^(?:model name|flags)\s*:\s*(.+)$", text, re.M)
    simd = " ".join(f for f in (names[1].split() if len(names) > 1 else ()) if f.startswith(("avx", "fma", "amx")))
    return {
        "processor": names[0] if names else text,
        "instructions": simd,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def recorded(name: str) -> Any:
    """Return a recorded file."""
    return json.loads((VALUES / f"{name}.json").read_text("utf-8"))


def closed_form(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return the scores and forecasts of models in closed form."""
    return {
        part: {name: v for name, v in numbers[part].items() if not TRAINED.search(name)}
        for part in ("scores", "forecasts")
        if part in numbers
    }


def differences(old: Any, new: Any, tolerance: float, path: str = "") -> Iterator[str]:
    """Yield a line for every number that is missing, new, or not equal.

    Lists of numbers have an order; lists of tables, pictures or traces have none.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            place = f"{path} > {key}" if path else key
            if key not in new:
                yield f"{place}: is missing"
            elif key not in old:
                yield f"{place}: is new"
            else:
                yield from differences(old[key], new[key], tolerance, place)
    elif is_bag(old) and is_bag(new):
        missing, added = dict(enumerate(old)), list(new)
        for k, part in enumerate(old):
            same = next((at for at, other in enumerate(added) if not any(differences(part, other, tolerance))), None)
            if same is not None:
                del missing[k], added[same]
        # What is left stands in the same order in most cases: shown side by side, it says what changed.
        for k, part in missing.items():
            if added:
                yield from differences(part, added.pop(0), tolerance, f"{path}[{k}]")
            else:
                yield f"{path}[{k}]: is missing"
        yield from (f"{path}: {str(part)[:200]} is new" for part in added)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, tolerance, f"{path}[{k}]")
    elif isinstance(old, int | float) and isinstance(new, int | float):
        if not math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{path}: {old!r} is now {new!r}"
    elif old != new:
        yield f"{path}: {str(old)[:200]} is now {str(new)[:200]}"


def is_bag(value: Any) -> bool:
    """Whether a value is a list of things that are no numbers and no texts."""
    return isinstance(value, list) and all(isinstance(part, list | dict) for part in value)


def in_short(lines: list[str], words: dict[str, list[str]]) -> list[str]:
    """Return one line for every table or picture that differs: how often, and the first difference."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        head = re.match(r"\w+ > page (?:pictures|tables)\[\d+\]|\w+ > [^>:]+", line)
        groups.setdefault(head[0].strip() if head else line, []).append(line)
    pictures = [line for line in words.get("page pictures", []) if re.match(r"\d+ choice", line)]
    short = []
    for place, found in groups.items():
        at = re.search(r"page pictures\[(\d+)\]", place)
        title = f" ({pictures[int(at[1])][:80]})" if at else ""
        short.append(f"{place}{title}: {len(found)}, such as {found[0].removeprefix(place).strip()}")
    return short


def changed_words(old: dict[str, list[str]], new: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines that are gone (-) and new (+), by their source."""
    for part in {**old, **new}:
        lines = difflib.unified_diff(old.get(part, []), new.get(part, []), lineterm="", n=0)
        for line in lines:
            if not line.startswith(("---", "+++", "@@")):
                yield f"{part}: {line}"
