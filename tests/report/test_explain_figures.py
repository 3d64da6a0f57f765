"""Static pictures of explanations: what is drawn is in the tables, and equal pictures are equal files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pages
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pictures import labelled, neat

from foretide.report.explain_figures import belief_figure, input_figure
from foretide.report.figures import WRITERS, attention_figure, write_png, write_svg
from foretide.report.latent_figures import latent_figure


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if title in axes.get_title(loc="left"))


def lines(axes: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()}


def test_attention_beside_whether_to_believe_it() -> None:
    tables = pages.attention_tables()
    figure = belief_figure(tables, model="Net", freq="D")
    bars = panel(figure, "Weight by distance").patches
    assert [bar.get_height() for bar in bars] == pytest.approx(tables["lags_by_distance"]["weight"])
    left, right = panel(figure, "Weight by distance").get_xlim()
    assert left > right  # the oldest at the left
    entropy = lines(panel(figure, "Concentration"))
    own = tables["entropy"]
    assert entropy["head 2"] == pytest.approx(own.loc[own["head"] == 2, "entropy"])
    assert entropy["even attention, 1.61"][0] == pytest.approx(np.log(5))
    masks = lines(panel(figure, "Error by horizon step"))
    assert masks["most attended lags masked"].tolist() == [2, 2.4, 2.2]
    masking, moving = (
        panel(figure, "Test by masking 1 of 5 lags: p = 0.05"),
        panel(figure, "moving the weights: p = 0.55"),
    )
    (line,) = [line for line in masking.get_lines() if line.get_label() == "attended"]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (20, 2.2)  # type: ignore[index]
    assert len(lines(moving)["lags relabelled at random"]) == 19
    assert "not faithful; attended minus random" in figure._suptitle.get_text()  # type: ignore[attr-defined]
    labelled(figure)
    neat(figure)
    neat(belief_figure(tables, model="a name that is longer than any name should be, " * 3, freq="15min"))


def test_untested_weights_have_no_lower_row() -> None:
    tables = {k: v for k, v in pages.attention_tables().items() if not k.startswith("faith")}
    figure = belief_figure(tables, model="Net", freq="D")
    assert len(figure.axes) == 2
    neat(figure)
    nothing = pages.attention_tables()
    nothing["faithfulness"][["low", "high"]] = np.nan
    heading = belief_figure(nothing, model="Net", freq="D")._suptitle  # type: ignore[attr-defined]
    assert "5 cutoffs are too few for an interval" in heading.get_text().replace("\n", " ")


@pytest.mark.parametrize(
    ("targets", "latents", "h", "columns"), [(3, 2, 3, 4), (336, 8, 14, 300), (2, 16, 28, 30), (1, 1, 1, 1)]
)
def test_the_latent_state(targets: int, latents: int, h: int, columns: int) -> None:
    tables = pages.latent_tables(targets, latents, h, columns)
    figure = latent_figure(tables, model="Net", freq="D")
    points = panel(figure, "Eigenvalues, largest modulus 0.900").get_lines()[1]
    assert points.get_xdata().tolist() == [0.9, 0.3, 0.3]  # type: ignore[union-attr]
    drawn = panel(figure, "Error of the latent state")
    assert lines(drawn)["rolled-out state"].tolist() == [1, 2]
    bars = [np.asarray(bar)[:, 1] for bar in drawn.collections[0].get_segments()]  # type: ignore[attr-defined]
    assert np.array(bars) == pytest.approx(np.array([[0.6, 1.4], [1.5, 2.5]]))  # the last state kept, plus the interval
    name = tables["target_effects"]["target"].iloc[0]
    first = figure.axes[4]  # after modes, loadings, their colours, errors
    own = tables["impulse_responses"]
    own = own[(own["name"] == name) & (own["shock"] == "z1")]
    assert lines(first)["shock to z1"] == pytest.approx(100 * own["relative"])
    assert first.get_ylabel() == "response, % of the mean forecast"
    assert f"{min(3, targets)} of {targets} targets" in figure._suptitle.get_text()  # type: ignore[attr-defined]
    if columns > 20:
        assert f"20 of {columns} columns" in panel(figure, "Correlation").get_title(loc="left")
    labelled(figure)
    neat(figure)


def test_inputs() -> None:
    figure = input_figure(pages.input_table(), model="Net")
    (axes,) = figure.axes
    widths = {bar.get_y() + bar.get_height() / 2: (bar.get_width(), bar.get_hatch()) for bar in axes.patches}
    assert widths[0] == (200, None)  # 4 of 2
    assert widths[1] == (50, None)
    assert widths[2] == (pytest.approx(-5), "////")  # no more than chance
    (segments,) = axes.collections
    assert np.asarray(segments.get_paths()[0].vertices)[:, 0].tolist() == [150, 250]
    low, high = axes.get_ylim()
    assert low > high  # the largest at the top
    assert axes.get_yticklabels()[0].get_text() == pages.EVIL
    assert "(lines: 95 % intervals)" in axes.get_xlabel()
    labelled(figure)
    neat(figure)
    many = pd.concat([pages.input_table()] * 20, ignore_index=True)
    figure = input_figure(many.assign(low=np.nan, high=np.nan, loss=0.0), model="Net")
    assert "the 30 largest of 60" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_xlabel() == "growth of the MSE when replaced, squared units →"
    neat(figure)


def test_names_are_drawn_letter_by_letter() -> None:
    table = pages.input_table().assign(group=["a$b$c", "_hidden", "x" * 60])
    (axes,) = input_figure(table, model="$N$").axes
    texts = [label.get_text() for label in axes.get_yticklabels()]
    assert texts[0] == r"a\$b\$c"
    assert len(texts[2]) == 30
    assert r"\$N\$" in axes.get_title(loc="left")


def test_svg_is_reproducible_and_its_text_is_text(tmp_path: Path) -> None:
    for name in ("a", "b"):
        figure = belief_figure(pages.attention_tables(), model="Net & Co", freq="D")
        for kind, write in WRITERS.items():
            write(figure, tmp_path / f"{name}.{kind}")
    for kind in ("png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    written = [
        " ".join(element.itertext()).strip() for element in ET.fromstring(text).iter() if element.tag.endswith("}text")
    ]
    assert "days before the forecast step (oldest left) →" in written
    assert any("Net & Co: where the attention lies" in piece for piece in written)
    assert "<dc:date>" not in text
    assert "creator" not in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d", text)


def test_heatmaps_are_written_both_ways(tmp_path: Path) -> None:
    weights = pages.attention().weights
    for name in ("a", "b"):
        figure = attention_figure(weights, model="Net", freq="D", windows="all")
        write_png(figure, tmp_path / f"{name}.png")
        write_svg(figure, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
