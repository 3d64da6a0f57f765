"""Public callables say what goes in, what comes out, and show it: read from the docstrings by griffe."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import griffe
import pytest

import foretide as ft

WITH_SECTIONS, WITH_EXAMPLE = 0.95, 0.80


def public_callables() -> Iterator[tuple[str, Any, Any]]:
    """Functions, classes and methods that a user reaches from ``foretide``: name, object, the class it stands in."""
    seen = set()
    for module in (ft, ft.explain, ft.synthetic):
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, ModuleType) or not callable(value) or value in seen:
                continue
            seen.add(value)
            yield name, value, None
            for base in inspect.getmro(value) if inspect.isclass(value) else ():
                if not base.__module__.startswith("foretide"):
                    continue
                for method, raw in vars(base).items():
                    function = getattr(raw, "__func__", raw)
                    if method.startswith("_") or not isinstance(function, FunctionType) or function in seen:
                        continue
                    if any(method in vars(above) for above in inspect.getmro(base)[1:]):
                        continue  # what the protocol says once, its members need not repeat
                    seen.add(function)
                    yield f"{base.__name__}.{method}", function, base


def sections(value: Any) -> set[str]:
    parsed = griffe.Docstring(inspect.getdoc(value) or "").parse("numpy", warnings=False)
    return {section.kind.value for section in parsed}


def lacks(value: Any) -> set[str]:
    """What a docstring does not say of ``parameters``, ``returns`` and ``examples``."""
    function = value.__init__ if inspect.isclass(value) else value
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return set()
    there = sections(value)
    missing = set()
    if [p for p in signature.parameters if p not in ("self", "cls")] and not there & {"parameters", "attributes"}:
        missing.add("parameters")
    gives = not inspect.isclass(value) and signature.return_annotation not in (None, "None", "Self", "Never")
    if gives and not there & {"returns", "yields"}:
        missing.add("returns")
    if ">>>" not in (inspect.getdoc(value) or ""):
        missing.add("examples")
    return missing


@pytest.fixture(scope="module")
def missing() -> dict[str, set[str]]:
    return {name: lacks(value) for name, value, _ in public_callables()}


def test_parameters_and_returns(missing: dict[str, set[str]]) -> None:
    without = sorted(name for name, what in missing.items() if what & {"parameters", "returns"})
    assert len(missing) > 100
    assert 1 - len(without) / len(missing) >= WITH_SECTIONS, without


def test_examples(missing: dict[str, set[str]]) -> None:
    without = sorted(name for name, what in missing.items() if "examples" in what)
    assert 1 - len(without) / len(missing) >= WITH_EXAMPLE, without


def test_the_count_itself_sees_what_is_missing() -> None:
    def bare(x: int) -> int:
        """Double a number."""
        return 2 * x

    def whole(x: int) -> int:
        """Double a number.

        Parameters
        ----------
        x : int
            Any.

        Returns
        -------
        int

        Examples
        --------
        >>> 2 * 1
        2
        """
        return 2 * x

    assert lacks(bare) == {"parameters", "returns", "examples"}
    assert lacks(whole) == set()
