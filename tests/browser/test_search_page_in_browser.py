"""The page of a search in Chromium, with real clicks and keys: no errors, no network, lists change the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import search_pages
from browsing import column, element, open_page, options, pick, traces, wait
from search_pages import BROKEN, EVIL, NET, RIDGE

from foretide.report.render.page import page as page_of
from foretide.report.sections import report_of

pytestmark = pytest.mark.browser
NAMES = ["chart-history", "chart-importance", "chart-slices", "chart-pairs", "chart-parallel"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "report.html"
    path.write_text(page_of(report_of(search_pages.content())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(driver: Any, page: Path) -> Any:
    """The page once every picture is drawn; what was logged meanwhile is kept on it."""
    return open_page(driver, page)


def full(driver: Any, chart: str, path: str) -> Any:
    return driver.execute_script(f"return document.getElementById('{chart}')._fullLayout.{path}")


def test_opens_without_errors_and_without_a_network_request(opened: Any, page: Path) -> None:
    assert [entry for entry in opened.first_logs["browser"] if entry["level"] != "INFO"] == []
    sent = [json.loads(entry["message"])["message"] for entry in opened.first_logs["performance"]]
    urls = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert {url for url in urls if not url.startswith(("data:", "blob:"))} == {page.as_uri()}


def test_every_picture_is_drawn_inside_the_page_with_named_axes(opened: Any) -> None:
    plots = opened.execute_script(
        "return [...document.querySelectorAll('.plot')].map(p => [p.id, p.querySelectorAll('svg.main-svg').length, "
        "p.getBoundingClientRect().right <= innerWidth, "
        "p._fullLayout.xaxis.title.text, p._fullLayout.yaxis.title.text])"
    )
    assert [plot[0] for plot in plots] == NAMES
    for name, drawn, inside, x, y in plots:
        assert (drawn > 0, inside, bool(x), bool(y)) == (True, True, True, True), name


def test_names_that_are_markup_show_as_text(opened: Any) -> None:
    assert EVIL in element(opened, "h1").text
    # Data, the packed library and the page's own; the library unpacked.
    assert opened.execute_script("return document.querySelectorAll('script').length") == 4
    assert element(opened, "#chart-history .legendtext").text == NET
    assert options(opened, "chart-slices") == [NET, RIDGE]
    pick(opened, "chart-slices", "cell", 1)
    ticks = [tick.text for tick in opened.find_elements("css selector", "#chart-slices .xtick")]
    assert ticks == ["<script>alert(1)<…", "gru", "none"]
    pick(opened, "chart-slices", "lr", 1)
    assert EVIL in column(opened, "table-failures", 3)[0]


def test_a_terrible_trial_stands_at_the_edge_and_a_double_click_shows_it(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    low, high = full(opened, "chart-history", "yaxis.range")
    assert (low > 0, high < 1.3) == (True, True)
    drawn = traces(opened, "chart-history")["above (1)"]
    assert drawn["x"] == [search_pages.N_NET - 1]
    assert low < drawn["y"][0] < high
    assert "RMSE 900" in drawn["text"][0]
    ActionChains(opened).double_click(element(opened, "#chart-history .nsewdrag")).perform()
    wait(opened, "return document.getElementById('chart-history')._fullLayout.yaxis.range[1] > 900")
    reset = element(opened, "#chart-history .modebar-btn[data-title='Reset axes']")
    opened.execute_script("arguments[0].click()", reset)
    wait(opened, "return document.getElementById('chart-history')._fullLayout.yaxis.range[1] < 1.3")


def test_under_the_pointer_stand_number_model_value_and_settings(opened: Any) -> None:
    element(opened, "#chart-history")
    opened.execute_script("Plotly.Fx.hover('chart-history', [{curveNumber: 0, pointNumber: 0}])")
    wait(opened, "return document.querySelectorAll('#chart-history .hovertext').length > 0")
    table = search_pages.trials().iloc[0]
    shown = element(opened, "#chart-history .hovertext").text
    assert f"trial 0, {NET}: RMSE {table['value']:.4g}" in shown
    assert f"lr {table['lr']:.4g}" in shown
    assert f"hidden {table['hidden']}" in shown
    opened.execute_script("Plotly.Fx.unhover('chart-history')")


def test_the_list_of_models_changes_the_importances(opened: Any) -> None:
    assert options(opened, "chart-importance") == [NET, RIDGE, BROKEN]
    (bars,) = traces(opened, "chart-importance").values()
    assert (bars["y"], bars["x"]) == ([0, 1, 2], [0.75, 0.2, 0.05])
    assert full(opened, "chart-importance", "yaxis.ticktext") == ["lr", "hidden", "cell"]
    pick(opened, "chart-importance", RIDGE)
    (bars,) = traces(opened, "chart-importance").values()
    assert (bars["y"], bars["x"]) == ([0], [1])
    assert "alpha alone was searched" in element(opened, "#chart-importance-caption").text
    pick(opened, "chart-importance", BROKEN)
    assert traces(opened, "chart-importance") == {}
    assert "no importance can be told" in element(opened, "#chart-importance .annotation-text").text
    pick(opened, "chart-importance", NET)
    assert full(opened, "chart-importance", "yaxis.visible") is True


def test_the_lists_of_model_and_setting_change_the_slices(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    assert full(opened, "chart-slices", "xaxis.type") == "log"
    table = search_pages.trials()
    net = table[(table["model"] == NET) & (table["state"] == "complete")]
    drawn = traces(opened, "chart-slices")[f"trials of {NET}".replace("<", "&lt;").replace(">", "&gt;")]
    assert drawn["x"] == pytest.approx(net["lr"].tolist(), rel=1e-4)
    assert drawn["y"] == pytest.approx(net["value"].tolist(), rel=1e-4)
    pick(opened, "chart-slices", RIDGE)  # the setting stays as it was; Ridge does not have it
    assert traces(opened, "chart-slices") == {}
    caption = element(opened, "#chart-slices-caption").text
    assert caption == "lr of Ridge was not searched. What was: alpha."
    lists = opened.find_elements("css selector", "select[data-chart='chart-slices']")
    lists[1].send_keys(Keys.END)  # by keyboard: the last setting
    wait(opened, "return document.getElementById('chart-slices-caption').textContent.startsWith('Ridge: ')")
    assert full(opened, "chart-slices", "xaxis.type") == "linear"
    assert full(opened, "chart-slices", "xaxis.title.text") == "alpha →"
    ridge = table[(table["model"] == RIDGE) & np.isfinite(table["value"])]
    assert traces(opened, "chart-slices")["trials of Ridge"]["x"] == pytest.approx(ridge["alpha"].tolist(), rel=1e-4)
    pick(opened, "chart-slices", NET)
    pick(opened, "chart-slices", "lr", 1)


def test_the_list_of_pairs_changes_both_axes(opened: Any) -> None:
    pairs = options(opened, "chart-pairs")
    assert pairs == [f"{NET}: lr and hidden", f"{NET}: lr and cell", f"{NET}: hidden and cell"]
    pick(opened, "chart-pairs", pairs[2])
    titles = [full(opened, "chart-pairs", f"{axis}.title.text") for axis in ("xaxis", "yaxis")]
    assert titles == ["hidden (log) →", "cell (choices)"]
    table = search_pages.trials()
    net = table[(table["model"] == NET) & (table["state"] == "complete")].sort_values("value", ascending=False)
    drawn = traces(opened, "chart-pairs")["trials"]
    assert drawn["x"] == pytest.approx(net["hidden"].astype(float).tolist(), rel=1e-4)
    places = [[EVIL, "gru", None].index(cell) for cell in net["cell"]]
    assert np.rint(drawn["y"]).tolist() == places  # spread around their choice
    assert len(set(drawn["y"])) == len(net)


def test_tables_sort_as_numbers(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    button = element(opened, "#table-trials thead th:nth-child(1) button")
    button.send_keys(Keys.ENTER)
    numbers = column(opened, "table-trials", 0)
    assert numbers == [str(k) for k in range(len(numbers))]
    element(opened, "#table-trials thead th:nth-child(4) button").click()
    values = column(opened, "table-trials", 3)
    known = [float(v) for v in values if v != "–"]
    assert known == sorted(known)
    assert len(known) == 32
    assert set(values[32:]) == {"–"}  # without a value: last


def test_dark_mode_draws_anew(opened: Any) -> None:
    assert full(opened, "chart-slices", "paper_bgcolor") == "#ffffff"
    element(opened, "#theme").click()
    assert full(opened, "chart-slices", "paper_bgcolor") == "#14171c"
    element(opened, "#theme").click()


def test_a_narrow_window_does_not_scroll_sideways(opened: Any) -> None:
    metrics = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait(opened, "return innerWidth === 420 && document.getElementById('chart-pairs')._fullLayout.width <= 420")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 420
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_went_wrong_meanwhile(opened: Any) -> None:
    assert [entry for entry in opened.get_log("browser") if entry["level"] != "INFO"] == []
