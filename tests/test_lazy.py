"""Public names stand in a stub, once; they are resolved on first use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import foretide as ft
import foretide.forecasters as forecasters
from foretide.forecasters.table import FORECASTERS
from foretide.lazy import names_in, resolve


def test_names_of_a_stub(tmp_path: Path) -> None:
    stub = tmp_path / "p.pyi"
    lines = ["from . import room as room", "from .room.file import Name as Name", "from .other import *", "x: int"]
    stub.write_text("\n".join(lines), encoding="utf-8")
    assert names_in(stub, "p") == {"room": "p.room:", "Name": "p.room.file:Name"}


def test_a_module_of_a_package_is_imported_too() -> None:
    assert resolve("json", "tool", {"tool": "json:tool"}) is sys.modules["json.tool"]
    assert resolve("json", "decoder", {"decoder": "json.decoder:"}) is sys.modules["json.decoder"]


def test_forecasters_are_reached_by_both_pages() -> None:
    assert set(FORECASTERS) <= set(ft.__all__)
    assert all(getattr(forecasters, name) is getattr(ft, name) for name in FORECASTERS)
    with pytest.raises(AttributeError, match=r"foretide\.forecasters has no 'Atention'\. Did you mean 'Attention'"):
        forecasters.Atention  # noqa: B018


def test_the_stub_lists_what_there_is_and_nothing_twice() -> None:
    stub = Path(ft.__file__).with_suffix(".pyi")
    own = names_in(stub, "foretide")
    assert not set(own) & set(FORECASTERS)
    assert {*own, *FORECASTERS, "__version__"} == set(ft.__all__)
