"""The options of reading: what a type checker sees is what there is."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import get_type_hints

import pytest

import foretide as ft
from foretide.data.reading.options import FileOptions, FrameOptions, Options, TableOptions
from foretide.errors import ConfigError


def test_visible_options_are_those_there_are() -> None:
    hints = {field.name: field.type for field in fields(Options)}
    assert set(FileOptions.__annotations__) <= set(hints)
    assert set(get_type_hints(FileOptions)) == set(hints)
    assert set(get_type_hints(FrameOptions)) == set(hints) - {"sep", "encoding"}
    assert {name: str(kind) for name, kind in get_type_hints(FileOptions).items()} == {
        name: str(kind) for name, kind in get_type_hints(Options).items()
    }


def test_roles_are_no_options() -> None:
    roles = set(inspect.signature(ft.Panel.from_frame).parameters)
    assert not roles & set(get_type_hints(FrameOptions))
    assert set(get_type_hints(TableOptions)) - set(get_type_hints(FileOptions)) == {"past", "future", "static"}


def test_a_name_that_is_no_option_is_said() -> None:
    frame = ft.synthetic.hourly(T=30).to_frame()
    with pytest.raises(
        ConfigError, match="There is no option 'fill_gap' for reading a frame. Did you mean 'fill_gaps'"
    ):
        ft.Panel.from_wide(frame, target="x1", fill_gap=True)  # type: ignore[call-arg]
