"""Which field of which message says whom to call, and when it counts."""

import pytest
from builders import JAPAN, LISTED, ROUTER, UNLISTED, invite, response, settings, sip
from hypothesis import given
from hypothesis import strategies as st
from ringfence.facts.targets import MAX_TARGETS, Target, dialled
from ringfence.sip.message import Message

HOME = f"<sip:0312345678@{ROUTER}>"
SIERRA_LEONE = f"<sip:{LISTED}@{ROUTER}>"
TRUNK = f"sip:trunk@{JAPAN}"
BESIDE = {
    "To": SIERRA_LEONE,
    "History-Info": f"{SIERRA_LEONE};index=1",
    "Diversion": f"{SIERRA_LEONE};reason=unconditional",
}
"""Every field beside the Request-URI, listed."""

Found = tuple[str, str, str]
"""Field, number and status of what decides."""


def found(
    raw: bytes, side: str = "inside", toml: str = ""
) -> tuple[Found | None, str | None]:
    message = Message(raw)
    target = dialled(settings(toml).world, side, message)
    return _short(target), message.anomaly


def _short(target: Target | None) -> Found | None:
    if target is None:
        return None
    return target.field, target.reading.number, target.ruling.status


def called(uri: str, fields: dict[str, str | None], side: str = "inside") -> Found:
    target, _ = found(sip("INVITE", uri, fields), side)
    assert target is not None
    return target


def referred(fields: dict[str, str | None], side: str = "inside") -> Found | None:
    return found(sip("REFER", fields=fields), side)[0]


def redirected(
    contact: str | None, status: int = 302, cseq: str = "1 INVITE"
) -> object:
    return found(response(status, {"CSeq": cseq, "Contact": contact}))[0]


# INVITE ---------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["inside", "outside"])
@pytest.mark.parametrize(
    ("number", "read", "status"),
    [
        ("0312345678", "0312345678", "unlisted"),
        ("201", "201", "unlisted"),
        ("119", "119", "exempt"),
        ("104", "104", "exempt"),
        (LISTED, "23276123456", "listed"),
    ],
)
def test_a_request_uri_that_is_plain_decides_alone(
    number: str, read: str, status: str, side: str
) -> None:
    uri = f"sip:{number}@{ROUTER}"
    assert called(uri, {**BESIDE}, side) == ("Request-URI", read, status)


def test_a_request_uri_that_the_site_allows_decides_alone() -> None:
    raw = invite(UNLISTED, {**BESIDE})
    assert found(raw, toml='[numbers]\nallow = ["1"]\n')[0] == (
        *("Request-URI", "12125551234", "allowed"),
    )
    assert found(raw)[0] == ("To", "23276123456", "listed")


@pytest.mark.parametrize("uri", [TRUNK, f"sip:{ROUTER}", f"sip:012345678@{ROUTER}"])
@pytest.mark.parametrize("field", ["To", "History-Info"])
def test_another_field_counts_where_the_request_uri_names_no_number(
    uri: str, field: str
) -> None:
    fields: dict[str, str | None] = {"To": None, field: BESIDE[field]}
    assert called(uri, fields) == (field, "23276123456", "listed")
    assert called(uri, fields, "outside")[0] == "Request-URI"


def test_the_site_may_allow_what_another_field_says() -> None:
    raw = sip("INVITE", TRUNK, {**BESIDE})
    target, _ = found(raw, toml='[numbers]\nallow = ["232"]\n')
    assert target == ("Request-URI", "trunk", "unlisted")


def test_what_is_not_listed_beside_the_request_uri_does_not_count() -> None:
    assert called(TRUNK, {"To": f"<sip:{UNLISTED}@x>"})[0] == "Request-URI"
    assert called(TRUNK, {"To": "<sip:119@x>"})[0] == "Request-URI"
    assert called(TRUNK, {"To": None})[0] == "Request-URI"


def test_diversion_counts_only_where_a_call_goes_abroad() -> None:
    fields: dict[str, str | None] = {"To": HOME, "Diversion": BESIDE["Diversion"]}
    assert called(TRUNK, fields)[0] == "Request-URI"
    assert called(f"sip:{UNLISTED}@x", fields)[0] == "Diversion"
    assert called(f"sip:{UNLISTED}@x", fields, "outside")[0] == "Request-URI"
    # The newest one stands first; the others are of calls to those who forwarded.
    older = {**fields, "Diversion": f"{HOME}, {BESIDE['Diversion']}"}
    assert called(f"sip:{UNLISTED}@x", older)[0] == "Request-URI"


def test_to_with_a_tag_names_the_other_party_and_dials_nobody() -> None:
    assert called(TRUNK, {"To": f"{SIERRA_LEONE};tag=x"})[0] == "Request-URI"


def test_to_that_only_begins_as_the_request_uri() -> None:
    to = f'"<{TRUNK}>" {SIERRA_LEONE}'
    assert called(TRUNK, {"To": to})[0] == "To"
    assert called(TRUNK, {"To": f"<{TRUNK};x=1>"})[0] == "Request-URI"


@pytest.mark.parametrize(
    ("history", "counts"),
    [
        (f"{SIERRA_LEONE};index=1, <{TRUNK}>;index=1.1", True),
        (f"{HOME};index=1, {SIERRA_LEONE};index=1.1", True),
        (f"{SIERRA_LEONE};index=1, {HOME};index=2, <{TRUNK}>;index=2.1", False),
        (
            f"<sip:{LISTED}@x?Reason=SIP%3Bcause%3D302>;index=1, <{TRUNK}>;index=2",
            False,
        ),
        (f"<sip:{LISTED}@x?a=b&reason=SIP>;index=1, <{TRUNK}>;index=2", False),
        # The newest has not been left, whatever it says.
        (f"{HOME};index=1, <sip:{LISTED}@x?Reason=SIP>;index=2", True),
    ],
)
def test_the_newest_of_the_history_counts(history: str, counts: bool) -> None:
    field = called(TRUNK, {"To": None, "History-Info": history})[0]
    assert field == ("History-Info" if counts else "Request-URI")


# REFER ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["inside", "outside"])
@pytest.mark.parametrize(
    "to",
    [
        SIERRA_LEONE,
        f"sip:{LISTED}@{ROUTER}",
        f"sip:{LISTED}@{ROUTER};x=1",
        f'"a, <sip:201@x>" {SIERRA_LEONE}',
        "<tel:+23276123456>",
        f"<sip:{LISTED}@x?Replaces=1%40x%3Bto-tag%3D1>",
        f"<sip:{LISTED}@x;method=BYE>",
        f"{HOME}, {SIERRA_LEONE}",
        f"{HOME}\r\nr: {SIERRA_LEONE}",
        f"<sip:119@x>, {SIERRA_LEONE}",
    ],
)
def test_refer_to(to: str, side: str) -> None:
    assert referred({"Refer-To": to}, side) == ("Refer-To", "23276123456", "listed")


def test_refer_to_where_it_may_go() -> None:
    assert referred({"Refer-To": HOME}) == ("Refer-To", "0312345678", "unlisted")
    assert referred({"Refer-To": "<sip:119@x>"}) == ("Refer-To", "119", "exempt")
    replaces = "<sip:202@x?Replaces=01023276123456%40x>"
    assert referred({"Refer-To": replaces}) == ("Refer-To", "202", "unlisted")


def test_refer_dials_nothing_else() -> None:
    assert referred({**BESIDE}) is None


# Redirections ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380, 399])
def test_contacts_of_a_redirection(status: int) -> None:
    assert redirected(SIERRA_LEONE, status) == ("Contact", "23276123456", "listed")
    assert redirected(f"{HOME};q=1, {SIERRA_LEONE};q=0.1", status) == (
        *("Contact", "23276123456", "listed"),
    )
    assert redirected(f"{HOME}, <sip:201@x>") == ("Contact", "0312345678", "unlisted")
    assert redirected(None) is None


def test_cseq_in_small_letters() -> None:
    assert redirected(SIERRA_LEONE, cseq="1 invite") is not None


@pytest.mark.parametrize(
    ("status", "cseq"),
    [
        *((status, "1 INVITE") for status in (180, 200, 299, 400, 485, 603)),
        *((302, cseq) for cseq in ("1 REGISTER", "1 SUBSCRIBE", "1", "")),
    ],
)
def test_other_answers_dial_nothing(status: int, cseq: str) -> None:
    assert redirected(SIERRA_LEONE, status, cseq) is None


@pytest.mark.parametrize("before", [MAX_TARGETS - 1, MAX_TARGETS])
def test_so_many_targets_are_read(before: int) -> None:
    many = [f"<sip:{number}@x>" for number in range(201, 201 + before)]
    contact = ", ".join([*many, SIERRA_LEONE])
    listed = before < MAX_TARGETS
    for raw in (
        response(302, {"CSeq": "1 INVITE", "Contact": contact}),
        sip("REFER", fields={"Refer-To": "\r\nRefer-To: ".join([*many, SIERRA_LEONE])}),
    ):
        target, anomaly = found(raw)
        assert target is not None
        assert (target[2] == "listed") is listed
        assert anomaly == (None if listed else "sip.too-many-values")


def test_the_same_target_counts_once() -> None:
    contact = ", ".join([HOME] * (MAX_TARGETS + 5) + [SIERRA_LEONE])
    target, anomaly = found(response(302, {"CSeq": "1 INVITE", "Contact": contact}))
    assert target == ("Contact", "23276123456", "listed")
    assert anomaly is None


# Others ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "SUBSCRIBE", "ACK", "BYE"])
def test_other_requests_dial_nothing(method: str) -> None:
    assert found(sip(method, f"sip:{LISTED}@{ROUTER}", {**BESIDE}))[0] is None


VALUES = st.text(
    st.sampled_from('<>";,:@?&=%\\ \t0123+sipteluranREFON\u2010\uff10\x00'), max_size=60
)
WORLD = settings().world


@given(st.sampled_from(["INVITE", "REFER", "302"]), VALUES, VALUES, st.booleans())
def test_any_text_gives_a_target_or_none(
    kind: str, first: str, second: str, inside: bool
) -> None:
    names = ("To", "History-Info", "Diversion", "Refer-To", "Contact")
    fields = {name: f"{first}\r\n{name}: {second}" for name in names}
    start = "SIP/2.0 302 Moved" if kind == "302" else f"{kind} {TRUNK} SIP/2.0"
    lines = [start, "CSeq: 1 INVITE", *(f"{n}: {v}" for n, v in fields.items())]
    message = Message("\r\n".join([*lines, "", ""]).encode())
    side = "inside" if inside else "outside"
    target = dialled(WORLD, side, message)
    assert target is None or target.ruling.status in (
        *("exempt", "allowed", "listed", "unlisted"),
    )


def test_reasons_name_the_field_unless_it_is_the_usual_one() -> None:
    world = settings().world
    plain = dialled(world, "inside", Message(invite(LISTED)))
    other = dialled(world, "inside", Message(sip("REFER", fields={"r": SIERRA_LEONE})))
    assert plain is not None
    assert other is not None
    assert plain.says("SL is listed") == "SL is listed"
    assert other.says("SL is listed") == "Refer-To: SL is listed"
