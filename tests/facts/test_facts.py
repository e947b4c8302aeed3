"""Every word of the vocabulary, present and absent."""

import pytest
from builders import (
    ABROAD,
    ABROAD6,
    INSIDE,
    JAPAN,
    LISTED,
    NOW,
    ROUTER,
    engine,
    invite,
    register,
    response,
    sip,
    tcp,
    udp,
)
from ringfence.facts import VOCABULARY, Facts
from ringfence.facts.facts import MAX_VIAS
from ringfence.packet import Packet

FULL = invite(
    LISTED,
    {
        "Via": f"SIP/2.0/UDP {JAPAN}:5060;branch=z9hG4bKtop;rport",
        "From": '"An, Other" <sip:201@Example.COM>;tag=3230315f',
        "To": "Bob <sip:202@example.org>",
        "Contact": f"<sip:203@{ABROAD}>, <sip:204@{JAPAN}>",
        "Max-Forwards": "20",
        "CSeq": "7 INVITE",
    },
)
EMPTY = b"OPTIONS sip:x SIP/2.0\r\n\r\n"


class Remembered:
    """Answers of a line that was watched for a week."""

    def is_new(self) -> bool:
        return True

    def usual_calls(self) -> int:
        return 3

    def days_since_international(self) -> int | None:
        return 61

    def days_watched(self) -> int:
        return 7

    def budget_left(self) -> int | None:
        return 4_999

    def in_hours(self) -> bool | None:
        return True

    def source_unusual(self) -> bool:
        return False

    def redials(self) -> bool:
        return False

    def follows_inbound(self) -> bool:
        return True

    def call_seconds(self) -> int:
        return 30

    def call_answered(self) -> bool:
        return True


EXPECTED: dict[str, tuple[object, object]] = {
    "method": ("INVITE", "OPTIONS"),
    "status": (None, None),
    "side": ("outside", "inside"),
    "transport": ("udp", "udp"),
    "anomaly": (None, None),
    "source_country": ("NL", None),
    "source_home": (False, True),
    "contact_abroad": (True, False),
    "via_abroad": (False, False),
    "destination_status": ("listed", None),
    "destination_class": ("international", None),
    "destination_country": ("SL", None),
    "destination_number": ("23276123456", None),
    "destination_field": ("Request-URI", None),
    "request_uri": (f"sip:{LISTED}@203.0.113.1", "sip:x"),
    "user_agent": ("Desk Phone 1.0", None),
    "call_id": ("a84b4c76e66710@example.com", None),
    "cseq_number": (7, None),
    "max_forwards": (20, None),
    "from_display": ("An, Other", None),
    "from_user": ("201", None),
    "from_host": ("example.com", None),
    "from_tag": ("3230315f", None),
    "from_tag_spells_user": (True, False),
    "to_display": ("Bob", None),
    "to_user": ("202", None),
    "to_host": ("example.org", None),
    "contact_user": ("203", None),
    "contact_host": (ABROAD, None),
    "source": (ABROAD, INSIDE),
    "receiver": (ROUTER, ROUTER),
    "account": ("201", None),
    "called": (LISTED, None),
    "called_tail": (LISTED[-7:], None),
    "via_host": (JAPAN, None),
    "via_branch": ("z9hG4bKtop", None),
    "destination_tier": ("block", None),
    "destination_zone": ("SL", None),
    "destination_range": ("2327612", None),
    "follows_inbound": (True, None),
    "redials": (False, None),
    "in_hours": (True, None),
    "destination_new": (True, None),
    "usual_calls": (3, None),
    "days_since_international": (61, None),
    "days_watched": (7, None),
    "source_unusual": (False, None),
    "budget_left": (4_999, None),
    "call_seconds": (30, None),
    "call_answered": (True, None),
}
"""Each fact of the full message from abroad, and of the empty one from inside."""


def facts(packet: Packet, toml: str = "") -> Facts:
    found = engine(toml).inspect(packet, NOW).findings[0].facts
    assert isinstance(found, Facts)
    return found


def test_every_fact_is_tested() -> None:
    assert set(EXPECTED) == set(VOCABULARY)


@pytest.mark.parametrize("name", VOCABULARY)
def test_fact(name: str) -> None:
    full, empty = facts(udp(FULL, ABROAD)), facts(udp(EMPTY, INSIDE))
    full.history = Remembered()
    assert (full.value(name), empty.value(name)) == EXPECTED[name]
    assert full.value(name) == EXPECTED[name][0], "the same when asked again"


@pytest.mark.parametrize("name", VOCABULARY)
def test_a_fact_is_of_its_kind_or_absent(name: str) -> None:
    fact = VOCABULARY[name]
    for value in EXPECTED[name]:
        assert value is None or type(value) is fact.kind
    assert fact.what


def test_responses() -> None:
    found = facts(udp(response(486)))
    assert found.value("status") == 486
    assert found.value("method") is None
    assert found.value("request_uri") is None
    assert found.value("destination_status") is None


def test_transport_and_anomaly() -> None:
    assert facts(tcp(sip())).value("transport") == "tcp"
    flawed = sip().replace(b"\r\n\r\n", b"\r\n")
    assert facts(udp(flawed)).value("anomaly") == "sip.no-blank-line"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (f"sip:{LISTED}@x", "listed"),
        ("sip:01012125551234@x", "unlisted"),
        ("sip:0312345678@x", "unlisted"),
        ("sip:119@x", "exempt"),
    ],
)
def test_destination_status(uri: str, status: str) -> None:
    found = facts(udp(sip("INVITE", uri)))
    assert found.value("destination_status") == status
    allowed = facts(udp(sip("INVITE", uri)), '[numbers]\nallow = ["1", "232", "81"]\n')
    expected = "exempt" if status == "exempt" else "allowed"
    assert allowed.value("destination_status") == expected


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "MESSAGE", "ACK", "BYE"])
def test_only_an_invite_dials(method: str) -> None:
    found = facts(udp(sip(method, f"sip:{LISTED}@x")))
    assert found.reading is None
    assert found.number_ruling is None
    assert found.value("destination_number") is None


@pytest.mark.parametrize(
    ("tag", "user", "spells"),
    [
        ("323031", "201", True),
        ("32303101999", "201", True),
        ("3230", "201", False),
        ("x323031", "201", False),
        ("", "201", False),
        ("", "", False),
        ("323031", "", False),
        ("C3A9".lower(), "é", True),
    ],
)
def test_a_tag_that_spells_the_user(tag: str, user: str, spells: bool) -> None:
    found = facts(udp(sip(fields={"From": f"<sip:{user}@h>;tag={tag}"})))
    assert found.value("from_tag_spells_user") is spells


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("20", 20),
        ("4294967295", 4294967295),
        ("12345678901", None),
        ("-1", None),
        ("2 0", None),
        ("\u0662\u0660", None),
        ("", None),
    ],
)
def test_numbers_in_fields(text: str, number: int | None) -> None:
    found = facts(udp(sip(fields={"Max-Forwards": text, "CSeq": f"{text} OPTIONS"})))
    assert found.value("max_forwards") == number


@pytest.mark.parametrize(
    ("contact", "abroad"),
    [
        (f"<sip:1@{ABROAD}>", True),
        (f"sip:1@{ABROAD};expires=0", True),
        (f"<sip:1@[{ABROAD6}]:5060>", True),
        (f"<sip:{ABROAD}>", True),
        (f"<sip:1@{JAPAN}>, <sip:1@{ABROAD}>", True),
        (f"<sip:1@{JAPAN}>\r\nm: <sip:1@{ABROAD}>", True),
        (f'"{ABROAD}" <sip:1@{JAPAN}>', False),
        (f"<sip:{ABROAD}@{JAPAN}>", False),
        (f"<sip:1@{INSIDE}>", False),
        ("<sip:1@203.0.113.77>", False),
        ("<sip:1@0.0.0.0>", False),
        (f"<sip:1@{ABROAD}.example.com>", False),
        ("*", False),
    ],
)
def test_contact_abroad(contact: str, abroad: bool) -> None:
    found = facts(udp(register({"Contact": contact})))
    assert found.value("contact_abroad") is abroad


def vias(count: int) -> str:
    """Write that many Via values at home and one abroad behind them."""
    home = [f"SIP/2.0/UDP {JAPAN};branch=z9hG4bK{at}" for at in range(count)]
    return ", ".join([*home, f"SIP/2.0/UDP {ABROAD};branch=z9hG4bKx"])


def test_via_abroad_looks_at_so_many_and_no_more() -> None:
    for count, abroad in (
        (0, True),
        (1, True),
        (MAX_VIAS - 1, True),
        (MAX_VIAS, False),
    ):
        found = facts(udp(register({"Via": vias(count)})))
        assert found.value("via_abroad") is abroad, count


def test_what_is_allowed_is_not_abroad() -> None:
    contact = {"Contact": f"<sip:1@{ABROAD}>", "Via": vias(1)}
    toml = f'[origin]\nallow = ["{ABROAD}"]\n'
    found = facts(udp(register(contact)), toml)
    assert found.value("contact_abroad") is False
    assert found.value("via_abroad") is False


def test_an_unknown_name_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        facts(udp(sip())).value("no_such_fact")
