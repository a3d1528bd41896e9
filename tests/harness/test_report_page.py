"""The page of a run as a browser shows it: laid out on wide and narrow screens, searchable, and quiet."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.render_html import render
from harness.report import Report
from tests.harness.browser import CHROMIUM, Browser, browser
from tests.harness.reports import failed_run, good_run, picture

pytestmark = [pytest.mark.real, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is here by snap, or not at all")]
WIDTHS = (1200, 400)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def show(chromium: Browser, folder: Path, report: Report, width: int = 1200, scheme: str = "light") -> None:
    page = folder / "report.html"
    page.write_text(render(report, picture()))
    chromium.complaints.clear()
    chromium.session = ""
    chromium.open(page, width, scheme=scheme)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("report", [good_run(), failed_run()], ids=["passed", "failed"])
def test_fits_the_window_and_complains_of_nothing(
    chromium: Browser, tmp_path: Path, report: Report, width: int
) -> None:
    show(chromium, tmp_path, report, width)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    hidden = "[...document.querySelectorAll('section')].filter(one => one.getBoundingClientRect().height < 20).length"
    assert chromium.evaluate(hidden) == 0
    assert chromium.complaints == []


def test_runs_nothing_that_a_guest_wrote(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, failed_run())
    assert chromium.evaluate("document.title").startswith("Failed: ")
    assert chromium.evaluate("document.scripts.length") == 1
    assert chromium.evaluate("document.querySelectorAll('img').length") == 1


def test_searches_the_console(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, good_run())
    assert chromium.evaluate("document.getElementById('search').hidden") is False
    chromium.evaluate("query.value = 'CLOUD-INIT-LOCAL'; query.dispatchEvent(new Event('input'))")
    assert chromium.evaluate("hits.textContent") == "2 found"
    assert chromium.evaluate("document.querySelectorAll('mark').length") == 2
    chromium.evaluate("document.getElementById('search').requestSubmit()")
    assert chromium.evaluate("hits.textContent") == "1 of 2"
    assert chromium.evaluate("document.querySelector('mark.here').textContent") == "cloud-init-local"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_can_be_read_in_light_and_in_the_dark(chromium: Browser, tmp_path: Path, scheme: str) -> None:
    show(chromium, tmp_path, failed_run(), scheme=scheme)
    brightness = "getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).reduce((sum, one) => sum + +one, 0)"
    text, ground = (chromium.evaluate(brightness.format(one)) for one in ("color", "backgroundColor"))
    assert abs(text - ground) > 300
    assert (ground > text) == (scheme == "light")


def test_makes_a_picture_of_all_of_it(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, failed_run())
    shot = chromium.screenshot()
    width, height = struct.unpack(">II", shot[16:24])
    assert (width, height) == (1200, chromium.evaluate("document.documentElement.scrollHeight"))
    assert height > 900
