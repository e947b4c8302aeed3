"""Log events as somebody would write them who wants a report to do something."""

from typing import Any, Final

import monthlog
from hypothesis import strategies as st

TEXTS: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></style></script><b>",
    "&lt;b&gt;&amp;",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",  # noqa: RUF001
    " =1",
    "\t=1",
    "a;=1+1",
    'a","=1',
    "a\r\n=1,2",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "a\u202eb",
    "\u2028x",
    "\ud800",
    "{0.__class__}",
    "%s%n",
    "\0others",
    "x" * 5_000,
    "",
)

text = st.sampled_from(TEXTS) | st.text(max_size=30)
value = (
    text
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from((50, 10**400, "12.500", "1" * 40, [], {}, {"class": 1}))
)
moments = st.floats(0, 300_000_000_000) | st.floats(
    monthlog.BEGIN, monthlog.BEGIN + 5_000_000
)

_KINDS: Final = {
    "call": tuple(monthlog.call(0.0, 1)),
    "incident": (
        *("event", "id", "rule", "what", "subject", "reason", "until", "open_with"),
        *("stopped", "passed", "cost", "monitor"),
    ),
    "budget": ("period", "share", "spent", "limit", "currency"),
    "decision": ("country", "side", "would"),
    "counters": ("log_suppressed", "log_unwritten"),
}
_SOUND: Final = {
    "begin": moments,
    "answered": moments,
    "until": moments,
    "direction": st.sampled_from(("in", "out")),
    "end": st.sampled_from(("bye", "stopped")),
    "event": st.sampled_from(("opened", "closed")),
    "abroad": st.just(True),
    "country": st.sampled_from(("US", "SL", "ZZ")),
    "share": st.just(80),
    "period": st.sampled_from(("day", "month")),
    "spent": st.just("1.5"),
    "limit": st.just("2"),
    "cost": st.just("12.500"),
    "currency": st.sampled_from(("JPY", "USD", "XXX")),
    "side": st.just("outside"),
}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Make one event: some of it sound, so that it is not simply left out."""
    kind = draw(st.sampled_from(sorted(_KINDS)))
    event: dict[str, Any] = {"type": kind, "time": draw(moments | value)}
    for key in _KINDS[kind]:
        if key in ("type", "time"):
            continue
        sound = _SOUND.get(key, text)
        event[key] = draw(sound if draw(st.integers(0, 3)) else value)
    return event


logs = st.lists(events(), max_size=8)
