"""The page in a real browser: drawn, quiet, alone, at the width of a phone and a desk."""

import json
from collections.abc import Iterator
from pathlib import Path

import monthlog
import pytest
from browsing import Browser, browser
from ringfence.cli import main

PHONE, DESK = 360, 1280
PAPER = 700
"""A4 between its margins, in CSS pixels."""
HOSTILE = "<script>pwned=1</script><img src=http://127.0.0.1:9/x onerror=pwned=1>\"'"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    log = folder / "log"
    log.write_text("".join(monthlog.lines()), encoding="utf-8")
    made = {}
    for lang in ("en", "ja"):
        made[lang] = folder / f"{lang}.html"
        options = ["--lang", lang, "--html", str(made[lang])]
        assert main(["report", *options, str(log)]) == 1
    return made


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_is_drawn_and_asks_for_nothing(
    shown: Browser, pages: dict[str, Path], lang: str, width: int
) -> None:
    shown.open(pages[lang], width)
    assert shown.complaints() == []
    assert {url.partition(":")[0] for url in shown.requests()} <= {"file", "data"}
    assert shown.requests()[0] == pages[lang].as_uri()
    assert len([url for url in shown.requests() if url.startswith("file:")]) == 1
    # Each chart has marks that take room.
    assert shown.value("document.querySelectorAll('svg').length") == 9
    marks = shown.value(
        "[...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll("
        "'.mark, .q1, .q2, .q3, .q4, .q5')].filter(mark => { const box ="
        " mark.getBoundingClientRect(); return box.width > 0.5 && box.height > 0.5;"
        " }).length)"
    )
    assert min(marks) >= 1
    assert marks[0] == 13, "days with international calls"
    assert shown.value("document.documentElement.lang") == lang


@pytest.mark.parametrize("width", [320, PHONE, 700, DESK])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_nothing_sticks_out(
    shown: Browser, pages: dict[str, Path], lang: str, width: int
) -> None:
    shown.open(pages[lang], width)
    assert shown.value("document.documentElement.scrollWidth") <= width
    # No letter of a chart is outside of it.
    outside = shown.value(
        "[...document.querySelectorAll('svg')].flatMap(svg => { const all ="
        " svg.getBoundingClientRect(); return [...svg.querySelectorAll('text')]"
        ".filter(text => { const box = text.getBoundingClientRect(); return"
        " box.left < all.left - 1 || box.right > all.right + 1 ||"
        " box.bottom > all.bottom + 1; }).map(text => text.textContent); })"
    )
    assert outside == []
    # Figures stay in their cards, and tables need no pushing, but for closures.
    cut = shown.value(
        "[...document.querySelectorAll('.cards dd, .scroll:not(:has(.wide))')].filter("
        "one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    )
    assert width == 320 or cut == []
    small = shown.value(
        "Math.min(...[...document.querySelectorAll('svg')].map(svg =>"
        " 11 * svg.getBoundingClientRect().width / 360))"
    )
    assert small >= (7.5 if width == 320 else 8.8), "CSS pixels of the letters"


CONTRAST = """
(() => {
  const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(value => {
    const s = value / 255; return s <= .04045 ? s / 12.92 : ((s + .055) / 1.055) ** 2.4;
  }); return .2126 * r + .7152 * g + .0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + .05) / (y + .05); };
  const css = (name, key) => getComputedStyle(document.querySelector(name))[key];
  const card = css('.figure', 'backgroundColor');
  return [ratio(css('body', 'color'), css('body', 'backgroundColor')),
    ratio(css('header p', 'color'), css('body', 'backgroundColor')),
    ratio(css('td', 'color'), card), ratio(css('figcaption', 'color'), card),
    ratio(css('svg text', 'fill'), card),
    ...['.passed .mark', '.stopped .mark', '.attack .mark'].map(
      name => ratio(css(name, 'fill'), card))];
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_everything_can_be_told_from_its_ground(
    shown: Browser, pages: dict[str, Path], dark: bool
) -> None:
    """4.5 : 1, as WCAG 2 asks of text, level AA."""
    shown.open(pages["en"], DESK, dark=dark)
    ratios = shown.value(CONTRAST)
    assert len(ratios) == 8
    assert min(ratios) >= 4.5
    ground = shown.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 22, 27)" if dark else "rgb(244, 245, 247)")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_paper_shows_all_of_a_table(
    shown: Browser, pages: dict[str, Path], lang: str
) -> None:
    shown.open(pages[lang], PAPER)
    shown.ask("Emulation.setEmulatedMedia", media="print")
    hidden = shown.value(
        "[...document.querySelectorAll('.scroll')].filter("
        "one => getComputedStyle(one).maxHeight != 'none').length"
    )
    assert hidden == 0
    cut = shown.value(
        "[...document.querySelectorAll('.scroll')].filter("
        "one => one.scrollWidth > one.clientWidth).length"
    )
    assert cut == 0
    shown.ask("Emulation.setEmulatedMedia", media="")


def test_a_stranger_runs_and_loads_nothing(shown: Browser, tmp_path: Path) -> None:
    events = []
    for event in (
        monthlog.priced(monthlog.BEGIN + 100, 60, "US"),
        monthlog.call(monthlog.BEGIN + 200, None, end="stopped"),
        monthlog.decision(monthlog.BEGIN + 300, "NL"),
        {"type": "incident", "event": "opened", "id": "1", "time": monthlog.BEGIN},
    ):
        texts = dict.fromkeys(
            ("account", "rule", "number", "reason", "what", "subject", "open_with"),
            HOSTILE,
        )
        events.append({**event, **texts})
    log, page = tmp_path / "log", tmp_path / "page.html"
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert main(["report", "--html", str(page), str(log)]) == 1
    shown.open(page, PHONE)
    assert (shown.complaints(), shown.value("typeof pwned")) == ([], "undefined")
    assert {url.partition(":")[0] for url in shown.requests()} <= {"file", "data"}
    assert shown.value("document.querySelectorAll('img, script').length") == 0
    assert "<script>" in shown.value("document.body.textContent")


def test_a_bad_page_would_be_noticed(shown: Browser, tmp_path: Path) -> None:
    """What the tests above rely on: requests and complaints are seen."""
    page = tmp_path / "bad.html"
    page.write_text(f"<!DOCTYPE html><script>console.error(1)</script>{HOSTILE}")
    shown.open(page, PHONE)
    assert "http://127.0.0.1:9/x" in shown.requests()
    assert len(shown.complaints()) >= 2
    assert shown.value("typeof pwned") == "number"
