"""Pictures as files: every view of the page, without a browser; equal pictures give equal files."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
from PIL import Image

from foretide.errors import ConfigError
from foretide.pictures.picture import Axis, Choice, Line, Panel, Picture, View
from foretide.report.render.files import named, write_beside, write_each
from foretide.report.sections import report_of

SECOND = "one-b--i--share-95a1749f"
"""Digits follow a name that no file can have."""


def picked(identity: str = "one") -> Picture:
    views: dict[tuple[int, ...], View] = {
        (0, 0): View([Panel([Line("a", [1, 2], [1, 2])], Axis("x"), Axis("y"))], "first"),
        (1, 0): View([Panel([Line("b", [1, 2], [1, 2])], Axis("x"), Axis("y", "log"))], "second"),
    }
    return Picture(identity, "One", views, [Choice("Target", ["a", "b <i>"]), Choice("Unit", ["share"])], file="all")


def test_every_picture_of_the_page_has_a_file() -> None:
    pictures = report_of(pages.content()).pictures
    made = dict(named(pictures))
    assert {"steps", "folds", "reliability", "modes-modes-of-net-s-latent-state", "training-net"} <= set(made)
    assert sum(len(picture.views) for picture in pictures) == len(made)
    assert "forecasts-d" in made
    assert len([name for name in made if name.startswith("attention-Net-")]) == 4  # all heads, each head, by distance
    assert any(name.startswith("forecasts-b---c-") for name in made)
    for name, panels in made.items():
        for panel in panels:
            assert panel.x.title, name
            assert panel.y.title, name


def test_each_choice_is_a_picture_and_equal_names_get_a_number() -> None:
    assert [name for name, _ in named([picked()])] == ["one-a-share", SECOND]
    twice = [name for name, _ in named([picked(), picked("One")])]
    assert twice[2] == "One-a-share-2"  # the same to some file systems
    assert len({name.casefold() for name in twice}) == 4


def test_files_are_whole_and_the_same_each_time(tmp_path: Path) -> None:
    paths = write_each([picked()], tmp_path / "figures", ["svg", "png", "pdf"])
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == sorted(p.name for p in paths)
    text = (tmp_path / "figures" / "one-a-share.svg").read_text(encoding="utf-8")
    assert ">x</text>" in text  # text stays text
    assert ">y</text>" in text
    assert (tmp_path / "figures" / "one-a-share.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figures" / "one-a-share.pdf").read_bytes().startswith(b"%PDF")
    again = write_each([picked()], tmp_path / "again", ["svg", "png", "pdf"])
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in paths]


@pytest.mark.usefixtures("true_pictures")
def test_pictures_of_one_file_are_its_panels(tmp_path: Path) -> None:
    files = write_beside([picked(), picked("two")], lambda name: tmp_path / name)
    assert files == {"all": ["all.png", "all.svg"]}
    drawn = (tmp_path / "all.svg").read_text(encoding="utf-8")
    assert drawn.count(">One</text>") == 2
    with Image.open(tmp_path / "all.png") as drawn_png:
        assert drawn_png.width > 900
    assert write_beside([Picture("x", "X", picked().views)], lambda name: tmp_path / name) == {}


def test_settings_of_ones_own_for_files_are_kept(tmp_path: Path) -> None:
    import matplotlib as mpl

    widths = []
    for dots in ("figure", 220.0):
        with mpl.rc_context({"savefig.dpi": dots}):
            write_each([picked()], tmp_path, ["png"])
        with Image.open(tmp_path / "one-a-share.png") as made:
            widths.append(made.width)
    assert widths[1] == 2 * widths[0]


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be svg, png, pdf, not 'svgg'. Did you mean 'svg'"):
        write_each([picked()], tmp_path, ["svgg"])
