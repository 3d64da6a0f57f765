"""The report in Chromium, with real clicks: no errors, no network, pickers and sorting work.

Needs selenium and Debian's chromium and chromium-driver (``make browser`` installs and runs it).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browsing
import pages
import pandas as pd
import pytest
from browsing import column, element, open_page, wait
from drawn import on_page

from foretide.report.render.page import page
from foretide.report.sections import report_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(report_of(pages.content())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(driver: Any, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page with all detail unfolded; what was logged while it was drawn is kept on it."""
    place = tmp_path_factory.mktemp("downloads")
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(place)})
    opened = open_page(driver, report)
    opened.downloads = place
    opened.first_drawn = drawn_plots(opened)
    opened.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    wait(opened, "return [...document.querySelectorAll('.plot')].every(p => p.querySelector('svg.main-svg'))")
    return opened


def drawn_plots(driver: Any) -> set[str]:
    """Names of the pictures that are drawn."""
    script = (
        "return [...document.querySelectorAll('.plot')].filter(p => p.querySelector('svg.main-svg')).map(p => p.id)"
    )
    return set(driver.execute_script(script))


def pick(driver: Any, name: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(element(driver, f"#{name}")).select_by_visible_text(text)


def traces(driver: Any, plot: str) -> list[dict[str, Any]]:
    """What plotly.js has drawn: name, visibility, numbers."""
    found: list[dict[str, Any]] = json.loads(driver.execute_script(
        "return JSON.stringify(document.getElementById(arguments[0]).data.map("
        "t => ({name: t.name, visible: t.visible, x: t.x, y: t.y, z: t.z, line: t.line})))", plot,
    ))  # fmt: skip
    return found


def trace(driver: Any, plot: str, name: str | None) -> dict[str, Any]:
    return next(t for t in traces(driver, plot) if t.get("name") == name)


def test_opens_without_errors_and_without_a_network_request(opened: Any, report: Path) -> None:
    assert [entry for entry in opened.first_logs["browser"] if entry["level"] != "INFO"] == []
    sent = [json.loads(entry["message"])["message"] for entry in opened.first_logs["performance"]]
    urls = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert report.as_uri() in urls
    assert {url for url in urls if not url.startswith(("data:", "blob:"))} == {report.as_uri()}
    assert opened.execute_script("return window.length") == 0  # no frame either


def test_every_picture_is_drawn_inside_the_page(opened: Any) -> None:
    plots = opened.execute_script(
        "return [...document.querySelectorAll('.plot')].map(p => [p.id, p.querySelectorAll('svg.main-svg').length, "
        "p.getBoundingClientRect().right <= innerWidth, "
        "p._fullLayout.xaxis.title.text, p._fullLayout.yaxis.title.text])"
    )
    report = report_of(pages.content())
    names = {f"chart-{p.id}" for part in report.parts for p in part.pictures}
    explored = {"chart-future", "chart-forecasts", "chart-attention", "chart-distance"}
    assert {name for name, *_ in plots} == names | explored
    seen = {f"chart-{p.id}" for section in report.sections for p in section.pictures}
    assert opened.first_drawn == seen | {"chart-future", "chart-forecasts"}  # what is folded waits
    for name, drawn, inside, x, y in plots:
        assert (drawn > 0, inside, bool(x), bool(y)) == (True, True, True, True), name


def test_a_series_called_script_shows_as_text(opened: Any) -> None:
    from selenium.webdriver.support.ui import Select

    names = [option.text for option in Select(element(opened, "#forecast-series")).options]
    assert set(names) == set(pages.SERIES)
    assert Select(element(opened, "#forecast-series")).first_selected_option.text == "b & c"
    pick(opened, "forecast-series", pages.EVIL)
    title = element(opened, "#chart-forecasts .ytitle")
    assert title.text == f"{pages.EVIL}, original units"
    # Data, the packed library and the page's own; the library unpacked.
    assert opened.execute_script("return document.querySelectorAll('script').length") == 4
    assert pages.EVIL in element(opened, "h1").text


def test_the_future_comes_first_and_opens_on_a_typical_series(opened: Any) -> None:
    from selenium.webdriver.support.ui import Select

    assert opened.find_element("css selector", "main section").get_attribute("id") == "future"
    picker = Select(element(opened, "#future-series"))
    assert [option.text for option in picker.options] == list(pages.SERIES)
    assert picker.first_selected_option.text == "b & c"  # the one with the middle error: all are equal
    pick(opened, "future-series", "d")
    assert trace(opened, "chart-future", "Net")["x"] == ["2024-01-10", "2024-01-11", "2024-01-12"]
    assert trace(opened, "chart-future", "Net")["y"] == [21, 22, 23]
    assert trace(opened, "chart-future", "observed")["y"] == [20, 21, 22, 20, 21, 22, 20, 21]
    assert trace(opened, "chart-future", "80 % interval")["y"] == [22, 23, 24, 22, 21, 20]
    assert element(opened, "#chart-future .ytitle").text == "d, original units"
    assert element(opened, "#future-caption").text.startswith("d: Net expects 21 at 2024-01-10 (80 %: 20 to 22) and 23")


def test_the_interval_of_a_single_step_is_seen(driver: Any, tmp_path: Path) -> None:
    path = tmp_path / "single.html"
    path.write_text(page(report_of(pages.content(future=pages.future(("only",), h=1)))), encoding="utf-8")
    driver.switch_to.new_window("tab")
    open_page(driver, path)
    band = trace(driver, "chart-future", "80 % interval")
    assert (band["x"], band["y"], band["line"]["width"]) == (["2024-01-10"] * 2, [2, 0], 8)
    assert driver.find_element("css selector", "#future-series").get_property("disabled")
    driver.close()
    driver.switch_to.window(driver.window_handles[0])


def test_the_numbers_are_downloaded_as_they_are(opened: Any) -> None:
    element(opened, "#future-download").click()
    file = opened.downloads / "forecast.csv"
    for _ in range(200):
        if file.is_file():
            break
        time.sleep(0.05)
    found, ahead = pd.read_csv(file), pages.future()
    assert ahead.download is not None
    assert found.columns.tolist() == ahead.download.columns.tolist()
    assert found["shop"].tolist() == ahead.download["shop"].tolist()  # markup is text in a file too
    assert found["lo-95"].tolist() == ahead.download["lo-95"].tolist()


def test_forecast_pickers_change_the_picture(opened: Any) -> None:
    frame = pages.forecasts()
    pick(opened, "forecast-series", pages.EVIL)
    assert trace(opened, "chart-forecasts", "truth")["x"][:4] == [
        "2023-12-31",
        "2024-01-01",
        "2024-01-02",
        "2024-01-03",
    ]
    pick(opened, "forecast-view", "step 1 ahead only")  # begins earlier
    assert trace(opened, "chart-forecasts", "truth")["x"][:4] == [
        "2023-12-31",
        "2024-01-01",
        "2024-01-02",
        "2024-01-03",
    ]
    pick(opened, "forecast-view", "one after the other")
    pick(opened, "forecast-series", "d")
    pick(opened, "forecast-view", "step 1 ahead only")
    truth = frame[(frame["unique_id"] == "d") & (frame["h_step"] == 1)]["y"].tolist()
    assert trace(opened, "chart-forecasts", "truth")["y"] == truth
    assert trace(opened, "chart-forecasts", "Net")["y"] == [y + 1 for y in truth]
    assert {"80 % interval", "95 % interval"} <= {t["name"] for t in traces(opened, "chart-forecasts")}
    caption = element(opened, "#forecast-caption").text
    assert "Net is off by 1 on average. The 80 % interval of Net holds 6 of 6 of them." in caption
    assert "The 95 % interval of Net holds 0 of 6 of them." in caption

    def visible(name: str) -> Any:
        return trace(opened, "chart-forecasts", name)["visible"]

    assert visible("Naive") is True
    element(opened, "#forecast-models label:nth-child(2) input").send_keys(" ")  # by keyboard
    assert visible("Naive") == "legendonly"
    element(opened, "#forecast-models label:nth-child(2) input").click()
    assert visible("Naive") is True

    pick(opened, "forecast-intervals", "none")
    assert not [t for t in traces(opened, "chart-forecasts") if "interval" in t["name"]]
    pick(opened, "forecast-view", "one after the other")
    kept = trace(opened, "chart-forecasts", "Net")["y"]
    assert kept.count(None) == 1  # two windows, a gap at the second one's cutoff
    assert len(kept) == 2 * pages.H + 1
    pick(opened, "forecast-series", "b & c")
    assert trace(opened, "chart-forecasts", "Net")["y"] != kept


def test_attention_pickers_change_the_pictures(opened: Any) -> None:
    kept = pages.attention().weights.astype(float)

    def heat() -> Any:
        return pytest.approx(trace(opened, "chart-attention", None)["z"][0], abs=1e-4)

    assert kept.mean(axis=(0, 1))[0].tolist() == heat()
    pick(opened, "attention-head", "head 2")
    assert kept[:, 1].mean(axis=0)[0].tolist() == heat()
    pick(opened, "attention-series", pages.EVIL)  # the head stays as it was picked
    assert kept[:3, 1].mean(axis=0)[0].tolist() == heat()
    assert pages.EVIL in element(opened, "#attention-caption").text
    pick(opened, "attention-series", "d")
    assert kept[3:, 1].mean(axis=0)[0].tolist() == heat()
    pick(opened, "attention-window", "window 3")
    assert kept[3, 1, 0].tolist() == heat()
    pick(opened, "attention-step", "step 2")
    bars = trace(opened, "chart-distance", "weight")
    # Step 2 sees lags 4 .. 0 from 6 .. 2 steps back.
    assert dict(zip(bars["x"], bars["y"], strict=True)) == pytest.approx(
        {lag + 2: kept[3, 1, 1, 4 - lag] for lag in range(5)}, abs=1e-4
    )
    pick(opened, "attention-head", "head 1")
    assert "most weight lies 2 (1)" in element(opened, "#distance-caption").text
    pick(opened, "attention-step", "all steps")
    bars = trace(opened, "chart-distance", "weight")
    far = dict(zip(bars["x"], bars["y"], strict=True))
    # Head 1 looks at lag 0 only: distances 1, 2, 3 are reached from 1, 2 and 3 steps.
    assert far == pytest.approx({1: 1, 2: 1 / 2, 3: 1 / 3, 4: 0, 5: 0, 6: 0, 7: 0}, abs=1e-4)


def test_lists_above_a_picture_change_it_and_its_caption(opened: Any) -> None:
    (picture,) = (p for p in report_of(pages.content()).pictures if p.id == "responses-0")
    chart = on_page(picture)
    first, second = (picker.options for picker in chart.pickers)
    assert browsing.options(opened, chart.id) == list(first)
    for k in (1, 3):
        browsing.pick(opened, chart.id, first[k])
        for m in (1, 0):
            browsing.pick(opened, chart.id, second[m], 1)
            view = chart.views[f"{k}/{m}"]
            assert [t["y"] for t in traces(opened, chart.id)] == [t["y"] for t in view.data]
            assert element(opened, f"#{chart.id}-caption").text == " ".join(view.caption.split())
    assert pages.EVIL in first[1]


def test_legends_work_by_keyboard_and_keep_what_was_chosen(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    full = "document.getElementById('chart-steps')._fullData.find(t => t.name === 'Naive').visible"
    toggle = "#chart-steps .legendtoggle[aria-label='Naive']"
    assert opened.execute_script(f"return {full}") is True
    assert element(opened, toggle).get_attribute("aria-checked") == "true"
    element(opened, toggle).send_keys(Keys.SPACE)
    wait(opened, f"return {full} === 'legendonly'")
    wait(opened, "return document.activeElement.getAttribute('aria-label') === 'Naive'")
    assert opened.switch_to.active_element.get_attribute("aria-checked") == "false"
    for colour in ("dark", "light"):  # drawn anew, in other colours
        media = {"features": [{"name": "prefers-color-scheme", "value": colour}]}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        wait(opened, f"return document.documentElement.dataset.theme === '{colour}'")
        assert opened.execute_script(f"return {full}") == "legendonly"
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    element(opened, toggle).send_keys(Keys.ENTER)
    wait(opened, f"return {full} === true")


def test_tables_sort_by_click_and_by_keyboard(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    names = [h.text for h in opened.find_elements("css selector", "#table-leaderboard thead button")]
    assert names[:4] == ["model", "kind", "rmse", "mae"]
    button = element(opened, "#table-leaderboard thead th:nth-child(4) button")
    head = element(opened, "#table-leaderboard thead th:nth-child(4)")
    assert column(opened, "table-leaderboard", 0) == ["Net", "Naive", "Mean"]
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(opened, "table-leaderboard", 3) == ["1", "9", "10"]  # as numbers, not as text
    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(opened, "table-leaderboard", 0) == ["Naive", "Mean", "Net"]
    for _ in range(2):  # a figure that is missing comes last either way
        element(opened, "#table-leaderboard thead th:nth-child(5) button").click()
        assert column(opened, "table-leaderboard", 0)[-1] == "Naive"
    assert head.get_attribute("aria-sort") is None
    element(opened, "#table-leaderboard thead th:nth-child(1) button").click()
    assert column(opened, "table-leaderboard", 0) == ["Mean", "Naive", "Net"]


def test_a_long_table_shows_its_first_lines_until_it_is_asked_for_all(driver: Any, tmp_path: Path) -> None:
    board = pages.content().leaderboard
    more = [board.tail(1).assign(model=f"Other {k}", mae=9.5 - 2 * k) for k in range(4)]
    path = tmp_path / "long.html"
    path.write_text(page(report_of(pages.content(leaderboard=pd.concat([board, *more])))), encoding="utf-8")
    driver.switch_to.new_window("tab")
    open_page(driver, path)

    def seen() -> list[str]:
        rows = driver.find_elements("css selector", "#table-leaderboard tbody tr")
        return [row.find_element("css selector", "th").text for row in rows if row.is_displayed()]

    button = element(driver, "#leaderboard button.more")
    assert (button.text, len(seen())) == ("Show all 7 lines", 5)
    element(driver, "#table-leaderboard thead th:nth-child(4) button").click()
    assert seen() == ["Net", "Other 3", "Other 2", "Other 1", "Mean"]  # the first ones in the new order
    button.click()
    assert (len(seen()), button.get_attribute("aria-expanded")) == (7, "true")
    button.click()
    assert len(seen()) == 5
    metrics = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    hint = "document.querySelector('#leaderboard .hint')"
    wait(driver, f"return {hint} !== null && !{hint}.hidden")
    assert element(driver, "#leaderboard .hint").text == "There is more: scroll to the right in the table."
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "width": 1400})
    wait(driver, f"return {hint}.hidden")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.close()
    driver.switch_to.window(driver.window_handles[0])


def test_dark_mode_follows_the_system_and_the_button(opened: Any) -> None:
    def look() -> tuple[str, str]:
        return tuple(opened.execute_script(
            "return [getComputedStyle(document.body).backgroundColor, "
            "document.getElementById('chart-steps')._fullLayout.paper_bgcolor]"
        ))  # fmt: skip

    light, night = ("rgb(255, 255, 255)", "#ffffff"), ("rgb(20, 23, 28)", "#14171c")
    assert look() == light
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    wait(opened, "return document.documentElement.dataset.theme === 'dark'")
    assert look() == night
    button = element(opened, "#theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert look() == light
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_prints_on_white_and_comes_back(opened: Any) -> None:
    def look() -> tuple[Any, str]:
        full = "document.getElementById('chart-forecasts')._fullLayout"
        return tuple(opened.execute_script(f"return [{full}.width, {full}.paper_bgcolor]"))

    element(opened, "#theme").click()
    width, colour = look()
    assert colour == "#14171c"
    opened.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert look() == (660, "#ffffff")
    opened.execute_script("window.dispatchEvent(new Event('afterprint'))")
    wait(opened, f"return document.getElementById('chart-forecasts')._fullLayout.width === {width}")
    assert look() == (width, "#14171c")
    element(opened, "#theme").click()


def test_no_button_sends_data_away_and_pictures_can_be_kept(opened: Any) -> None:
    titles = opened.execute_script(
        "return [...document.querySelectorAll('.modebar-btn')]"
        ".map(b => b.dataset.title || b.getAttribute('aria-label'))"
    )
    assert "Download plot as SVG" in titles
    assert not [t for t in titles if t and any(word in t.lower() for word in ("share", "cloud", "edit", "produced"))]
    for kind in ("svg", "png"):
        url = opened.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"Plotly.toImage('chart-steps', {{format: '{kind}'}}).then(done, e => done('error ' + e))"
        )
        assert url.startswith(f"data:image/{kind}")


def test_the_skip_link_comes_first_and_leads_to_the_report(opened: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    body: Callable[[], Any] = lambda: opened.switch_to.active_element  # noqa: E731
    opened.execute_script("document.body.tabIndex = -1; document.body.focus()")
    body().send_keys(Keys.TAB)
    assert body().text == "Skip to the report"
    body().send_keys(Keys.ENTER)
    assert opened.execute_script("return document.activeElement.id") == "main"


def test_a_narrow_window_does_not_scroll_sideways(opened: Any) -> None:
    metrics = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait(opened, "return innerWidth === 420 && document.getElementById('chart-steps')._fullLayout.width <= 420")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 420
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_went_wrong_meanwhile(opened: Any) -> None:
    assert [entry for entry in opened.get_log("browser") if entry["level"] != "INFO"] == []
