"""What tests in Chromium share: to wait, to find, to pick, and to read what plotly.js has drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def open_page(driver: Any, page: Path) -> Any:
    """Open a page and wait until every picture is drawn; what was logged meanwhile is kept as ``first_logs``."""
    driver.get_log("performance")
    driver.get(page.as_uri())
    wait(driver, "return document.documentElement.dataset.ready === 'yes'")
    driver.first_logs = {name: driver.get_log(name) for name in ("browser", "performance")}
    return driver


def wait(driver: Any, script: str, seconds: float = 30) -> None:
    """Wait until a script returns true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, seconds, poll_frequency=0.05).until(lambda d: d.execute_script(script))


def element(driver: Any, selector: str) -> Any:
    """Return an element, scrolled into view."""
    found = driver.find_element("css selector", selector)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def options(driver: Any, chart: str, k: int = 0) -> list[str]:
    """Return what a list above a picture offers."""
    from selenium.webdriver.support.ui import Select

    return [option.text for option in Select(_list(driver, chart, k)).options]


def pick(driver: Any, chart: str, text: str, k: int = 0) -> None:
    """Choose from the k-th list above a picture."""
    from selenium.webdriver.support.ui import Select

    Select(_list(driver, chart, k)).select_by_visible_text(text)


def _list(driver: Any, chart: str, k: int) -> Any:
    found = driver.find_elements("css selector", f"select[data-chart='{chart}']")[k]
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def traces(driver: Any, plot: str) -> dict[str, dict[str, Any]]:
    """Return what plotly.js has drawn: name -> visibility, numbers, texts."""
    found = json.loads(driver.execute_script(
        "return JSON.stringify(document.getElementById(arguments[0]).data.map("
        "t => ({name: t.name, visible: t.visible, x: t.x, y: t.y, text: t.text, line: t.line})))", plot,
    ))  # fmt: skip
    return {trace.get("name"): trace for trace in found}


def column(driver: Any, table: str, k: int) -> list[str]:
    """Return the texts of a column of a table, as they stand."""
    rows = driver.find_elements("css selector", f"#{table} tbody tr")
    return [row.find_elements("css selector", "th, td")[k].text for row in rows]
