"""A report as one HTML page that needs nothing else: no script, no font, no picture.

Knows HTML. What it says may be a stranger's: every text goes through `escape`, and a
policy in the page forbids the browser whatever else there might be to run or to load.
"""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape

from ringfence.reporting.document import Card, Document, Figure, Section, Table
from ringfence.reporting.style import STYLE
from ringfence.reporting.svg import draw


def page(document: Document) -> Iterator[str]:
    """Write the page, in pieces."""
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    title = escape(document.title)
    yield (
        "<!DOCTYPE html>\n"
        f'<html lang="{document.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="robots" content="noindex">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{title}</h1>\n<p>{escape(document.period)}</p>\n</header>\n"
        "<main>\n"
    )
    yield _cards(document.cards)
    for number, section in enumerate(document.sections, 1):
        yield from _section(section, f"s{number}")
    yield "</main>\n</body>\n</html>\n"


def _cards(cards: list[Card]) -> str:
    shown = "".join(
        f'<div class="{card.tone}"><dt>{escape(card.label)}</dt>'
        f"<dd>{escape(card.value)}</dd></div>\n"
        for card in cards
    )
    return f'<dl class="cards">\n{shown}</dl>\n'


def _section(section: Section, name: str) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">\n<h2 id="{name}">'
    yield f"{escape(section.title)}</h2>\n"
    for text in section.text:
        yield f"<p>{escape(text)}</p>\n"
    for number, figure in enumerate(section.figures, 1):
        yield from _figure(figure, f"{name}f{number}")
    yield "</section>\n"


def _figure(figure: Figure, name: str) -> Iterator[str]:
    beside = " beside" if figure.charts else ""
    yield f'<div class="figure{beside}">\n<h3 id="{name}">'
    yield f"{escape(figure.table.title)}</h3>\n"
    if figure.charts:
        yield "<div>\n"
        for number, chart in enumerate(figure.charts, 1):
            yield f"<figure>\n<figcaption>{escape(chart.title)}</figcaption>\n"
            yield draw(chart, f"{name}c{number}")
            yield "</figure>\n"
        yield "</div>\n"
    yield from _table(figure.table, name)
    yield "</div>\n"


def _table(table: Table, name: str) -> Iterator[str]:
    # Sentences need room: such a table scrolls sideways on a phone.
    wide = "" if len(table.head) - 1 in table.numbers else ' class="wide"'
    yield f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}">\n'
    yield f'<table{wide} aria-labelledby="{name}">\n<thead><tr>'
    for at, head in enumerate(table.head):
        yield f'<th scope="col"{_align(table, at)}>{escape(head)}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for row in table.rows:
        yield f'<tr><th scope="row">{escape(row[0])}</th>'
        for at, cell in enumerate(row[1:], 1):
            yield f"<td{_align(table, at)}>{escape(cell)}</td>"
        yield "</tr>\n"
    yield "</tbody>\n</table>\n</div>\n"


def _align(table: Table, column: int) -> str:
    return ' class="number"' if column in table.numbers else ""
