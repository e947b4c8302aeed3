"""Whatever a log holds, a report is a report: nothing runs, nothing breaks out."""

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any

import monthlog
import pytest
from builders import RULES
from hostile import TEXTS, logs
from hypothesis import given, settings
from ringfence.bundle.embedded import load_destinations, read_text
from ringfence.calls import RateTable
from ringfence.calls.terms import Terms
from ringfence.config.terms import local
from ringfence.logged import event_of
from ringfence.reporting.composing import compose
from ringfence.reporting.document import Document
from ringfence.reporting.events import CallLine, line_of
from ringfence.reporting.forms import Forms, country_names
from ringfence.reporting.making import stamp
from ringfence.reporting.page import page
from ringfence.reporting.rows import COLUMNS, CallRows, cell
from ringfence.reporting.tally import Tally
from ringfence.reporting.text import terminal_lines

RATES = RateTable.from_csv(read_text(RULES, "rates.csv"), "rates.csv")
TERMS = Terms(RATES, currency="JPY", calendar=local)
NAMES = country_names(load_destinations(RULES), "en")
JA = country_names(load_destinations(RULES), "ja")

TAGS = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main"),
    *("section", "h1", "h2", "h3", "p", "dl", "dt", "dd", "div", "figure", "table"),
    *("figcaption", "thead", "tbody", "tr", "th", "td", "svg", "g", "rect", "path"),
    *("text", "desc"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "rel", "href", "class"),
    *("role", "tabindex", "scope", "id", "viewbox", "aria-labelledby", "d"),
    *("x", "y", "width", "height"),
}
FORMULA = tuple("=+-@|%＝＋－＠\t\r")  # noqa: RUF001


class Page(HTMLParser):
    """Reads a page as a browser would begin to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.labels += (given.get("aria-labelledby") or "").split()
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(text: str) -> Page:
    found = Page()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def reported(events: list[dict[str, Any]], lang: str = "en") -> tuple[Document, str]:
    """Report what was logged; returns the calls as CSV too."""
    tally = Tally(TERMS)
    out = io.StringIO(newline="")
    rows = CallRows(out, stamp)
    for event in events:
        read = event_of(json.dumps(event))
        line = None if read is None else line_of(read)
        if line is not None:
            tally.take(line)
        if isinstance(line, CallLine):
            rows.add(line)
    forms = Forms(lang, NAMES if lang == "en" else JA, local)
    return compose(tally, forms, 0, "+09:00"), out.getvalue()


def check(events: list[dict[str, Any]], lang: str) -> None:
    document, rows = reported(events, lang)
    text = "".join(page(document))
    text.encode()
    found = parsed(text)
    assert found.tags <= TAGS
    assert found.names <= ATTRIBUTES
    assert found.links == ["data:,"]
    assert len(set(found.ids)) == len(found.ids)
    assert set(found.labels) <= set(found.ids)
    for line in terminal_lines(document):
        assert line.isprintable()
    rows.encode()
    read = list(csv.reader(io.StringIO(rows, newline=""), strict=True))
    assert read[0] == list(COLUMNS)
    for row in read:
        assert len(row) == len(COLUMNS)
        for one in row:
            assert not one.lstrip().startswith(FORMULA)
            assert one.isprintable()
    assert ";" not in rows
    assert rows.count("\r\n") == rows.count("\n") == len(read)


@settings(max_examples=300, deadline=None)
@given(logs)
def test_anything_can_be_reported(events: list[dict[str, Any]]) -> None:
    check(events, "en")
    check(events, "ja")


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_everywhere(text: str) -> None:
    day = monthlog.BEGIN
    fields = dict.fromkeys(
        ("account", "source", "number", "class", "rule", "country", "currency"), text
    )
    incident = dict.fromkeys(("id", "rule", "what", "subject", "reason"), text)
    events = [
        {**monthlog.priced(day, 60, "US"), **fields},
        {**monthlog.call(day, None), **fields, "end": "stopped"},
        {**monthlog.call(day, 60), **fields, "end": text},
        {"type": "incident", "event": "opened", "time": day, **incident},
        {**monthlog.decision(day, None), **fields},
    ]
    check(events, "en")
    check(events, "ja")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("201", "201"),
        ("", ""),
        ("=1", "'=1"),
        (" +1", "' +1"),
        ("a;=1", "a,=1"),
        ('a"b', "a'b"),
        ("a=1", "a=1"),
    ],
)
def test_cells(text: str, written: str) -> None:
    assert cell(text) == written


def test_what_is_shown_is_what_was_said() -> None:
    """Escaped once, and not twice."""
    said = "<b>&amp;'\"</b>"
    event = {**monthlog.priced(monthlog.BEGIN, 60, "US"), "account": said}
    document, _ = reported([event])
    words = parsed("".join(page(document))).words
    assert said in words
