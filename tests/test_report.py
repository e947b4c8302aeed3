"""What people and scripts read: masks, records, tables."""

import json

import pytest
from builders import (
    ABROAD6,
    INSIDE,
    JAPAN,
    LISTED,
    NOW,
    engine,
    invite,
    octets,
    register,
    response,
    sip,
    tcp,
    udp,
)
from contract import MESSAGE_KEYS
from ringfence import report
from ringfence.decision import NOT_SIP, Decision, Verdict
from ringfence.engine import Counters
from ringfence.packet import Packet
from ringfence.report import Record, mask_number, mask_uri


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("0312345678", "031234xxxx"),
        ("+81-3-1234-5678", "+81-3-1234-xxxx"),
        ("1234567", "123xxxx"),
        ("123456", "123456"),  # an extension, if a long one
        ("201", "201"),
        ("", ""),
        ("alice", "alice"),
        (
            "\uff10\uff13\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
            "\uff10\uff13\uff11\uff12\uff13\uff14xxxx",
        ),
        ("%30%33%31%32%33%34%35%36%37%38", "%30%33%31%32%33%34xxxx"),
        ("031234567%2538", "031234xxxx"),
        ("%2B81312345678", "%2B8131234xxxx"),
        ("031234%2D5678%2D", "031234%2Dxxxx%2D"),
        # Parameters, DTMF and a second number do not keep the first one readable.
        ("+81312345678;isub=1411", "+8131234xxxx;isub=1411"),
        ("312345678;phone-context=+81", "31234xxxx;phone-context=+81"),
        ("0312345678;rn=+81398765432", "031234xxxx;rn=+8139876xxxx"),
        ("0312345678,,,1234#", "031234xxxx,,,1234#"),
        ("0312345678p1", "031234xxxxp1"),
        ("0312345678x12345678", "031234xxxxx1234xxxx"),
    ],
)
def test_mask_number(text: str, masked: str) -> None:
    assert mask_number(text) == masked


@pytest.mark.parametrize(
    ("uri", "masked"),
    [
        ("sip:0312345678@203.0.113.1:5060", "sip:031234xxxx@203.0.113.1:5060"),
        ("sip:+81312345678@h;user=phone", "sip:+8131234xxxx@h;user=phone"),
        ("sip:201@203.0.113.100:50600", "sip:201@203.0.113.100:50600"),
        ("sip:203.0.113.100:50600", "sip:203.0.113.100:50600"),
        ("SIPS:203.0.113.100:50600", "SIPS:203.0.113.100:50600"),
        ("sip:[2001:db8:1234:5678::1]", "sip:[2001:db8:1234:5678::1]"),
        ("sip:0312345678", "sip:031234xxxx"),  # typed without a host
        ("tel:+81-3-1234-5678", "tel:+81-3-1234-xxxx"),
        ("tel:312345678;phone-context=+81", "tel:31234xxxx;phone-context=+81"),
        ("0312345678", "031234xxxx"),
        ("urn:service:sos", "urn:service:sos"),
        ("*", "*"),
    ],
)
def test_mask_uri(uri: str, masked: str) -> None:
    assert mask_uri(uri) == masked


def record(packet: Packet, toml: str = "", *, full: bool = True) -> Record:
    decision = engine(toml).inspect(packet, NOW)
    return report.message_record(decision.findings[0], full_numbers=full)


def test_a_request_has_every_key_of_the_contract() -> None:
    credentials = 'Digest username="200", realm="r", nonce="n"'
    found = record(
        udp(
            invite(
                LISTED,
                {
                    "From": '"A" <sip:200@example.com>;tag=1',
                    "Authorization": credentials,
                },
            ),
            JAPAN,
            sport=5062,
        )
    )
    assert found == {
        "src": JAPAN,
        "sport": 5062,
        "dst": "203.0.113.1",
        "dport": 5060,
        "transport": "udp",
        "kind": "request",
        "method": "INVITE",
        "status": None,
        "uri": "sip:01023276123456@203.0.113.1",
        "from_user": "200",
        "to_user": "01023276123456",
        "call_id": "a84b4c76e66710@example.com",
        "cseq_method": "INVITE",
        "user_agent": "Desk Phone 1.0",
        "auth_user": "200",
        "side": "outside",
        "country": "JP",
        "destination": {
            "class": "international",
            "number": "23276123456",
            "country": "SL",
        },
        "verdict": "drop",
        "rule": "blocked-destination",
        "reason": "call to +23276123456 (SL, international)",
        "ban_s": 0,
        "would": None,
        "anomaly": None,
    }
    assert set(MESSAGE_KEYS) <= set(found)


def test_a_response() -> None:
    found = record(udp(response(407)))
    assert (found["kind"], found["method"], found["status"]) == ("response", None, 407)
    assert found["uri"] is None
    assert found["destination"] is None
    assert found["cseq_method"] == "OPTIONS"


def test_what_is_absent_is_null() -> None:
    absent = ("From", "To", "Call-ID", "CSeq", "User-Agent", "Contact", "Via")
    found = record(udp(sip(fields=dict.fromkeys(absent)), "203.0.113.7"))
    for key in MESSAGE_KEYS:
        assert key in found
    assert [key for key, value in found.items() if value is None] == [
        "status",
        "from_user",
        "to_user",
        "call_id",
        "cseq_method",
        "user_agent",
        "auth_user",
        "country",
        "destination",
        "rule",
        "would",
        "anomaly",
    ]


def test_ipv6_and_tcp() -> None:
    found = record(tcp(register(), src=ABROAD6, sport=40_001))
    assert (found["src"], found["transport"]) == (ABROAD6, "tcp")
    assert found["country"] == "NL"


def test_addresses() -> None:
    for text in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "::"):
        assert report.address_text(octets(text)) == text


def test_monitoring_and_a_flaw_are_told() -> None:
    flawed = invite(LISTED).replace(b"\r\n\r\n", b"\r\n")
    found = record(udp(flawed), 'mode = "monitor"\n')
    assert (found["verdict"], found["would"]) == ("accept", "reject")
    assert found["anomaly"] == "sip.no-blank-line"


def test_masked_numbers_appear_nowhere_in_a_record() -> None:
    credentials = 'Digest username="0398765432", realm="r"'
    found = record(
        udp(
            invite(
                "010-232-76-123456;isub=1411",
                {
                    "From": "<sip:+81398765432@example.com>;tag=1",
                    "Authorization": credentials,
                },
            )
        ),
        full=False,
    )
    assert found["uri"] == "sip:010-232-76-12xxxx;isub=1411@203.0.113.1"
    assert found["from_user"] == "+8139876xxxx"
    assert found["to_user"] == "010-232-76-12xxxx;isub=1411"
    assert found["auth_user"] == "039876xxxx"
    assert found["reason"] == "call to +2327612xxxx (SL, international)"
    assert found["destination"] == {
        "class": "international",
        "number": "2327612xxxx",
        "country": "SL",
    }
    assert "3456" not in json.dumps(found)
    assert "5432" not in json.dumps(found)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (sip("REFER", fields={"Refer-To": f"<sip:{LISTED}@x>"}), "Refer-To"),
        (
            response(302, {"CSeq": "1 INVITE", "Contact": f"<sip:{LISTED}@x>"}),
            "Contact",
        ),
        (
            sip("INVITE", "sip:trunk@x", {"History-Info": f"<sip:{LISTED}@x>"}),
            "History-Info",
        ),
    ],
)
def test_numbers_of_other_fields_are_masked_too(message: bytes, field: str) -> None:
    found = record(udp(message), full=False)
    assert found["destination"] == {
        "class": "international",
        "number": "2327612xxxx",
        "country": "SL",
    }
    assert found["reason"] == f"{field}: call to +2327612xxxx (SL, international)"
    assert "3456" not in json.dumps(found)


def test_text_of_strangers_is_cut() -> None:
    fields = {"User-Agent": "x" * 256, "Call-ID": "y" * 257}
    found = record(udp(sip(fields=fields)))
    assert found["user_agent"] == "x" * report.MAX_TEXT
    assert found["call_id"] == "y" * report.MAX_TEXT + "…"


def test_text_that_is_not_utf8() -> None:
    raw = sip(fields={"User-Agent": "UA"}).replace(b"UA\r", b"\xff\xfe\r")
    assert record(udp(raw))["user_agent"] == "\ufffd\ufffd"


# Tables ---------------------------------------------------------------------------


def row(packet: Packet, toml: str = "") -> str:
    return report.text_row(7, 1.5, record(packet, toml))


def test_rows_stand_under_their_headings() -> None:
    line = row(udp(invite(LISTED)))
    for heading, value in (
        ("from", f"{INSIDE}:5060"),
        ("to", "203.0.113.1:5060"),
        ("message", "INVITE"),
        ("caller", "201"),
        ("called", "23276123456 SL"),
        ("verdict", "reject  blocked-destination: call to +23276123456"),
    ):
        at = report.HEADINGS.index(f" {heading}") + 1
        assert line[at:].startswith(value), heading
    assert line.startswith("      7         1.500  ")


def test_rows_of_monitoring_responses_and_absent_users() -> None:
    held = row(udp(register(), ABROAD6), 'mode = "monitor"\n')
    assert held.endswith("(monitor only; would drop)")
    assert f"[{ABROAD6}]:5060" in held
    answer = row(udp(response(200, {"From": None, "To": None})))
    assert " 200 " in answer
    assert answer.endswith("-              -                      accept")


def test_control_characters_of_a_stranger_do_not_reach_the_terminal() -> None:
    evil = sip(fields={"From": "<sip:\x1b[2Jx\x07\u202e@h>;tag=1"})
    line = row(udp(evil))
    assert "·[2Jx··" in line
    assert line.isprintable()


def test_malformed_row() -> None:
    decision = Decision(Verdict.DROP, "ip.short", (), "ip.short")
    line = report.malformed_row(12, 0.25, decision)
    assert line == "     12         0.250  malformed: ip.short drop"


def test_summaries() -> None:
    counters = Counters()
    assert report.text_summary(counters) == (
        "0 packets, 0 SIP messages, 0 malformed\n"
        "accepted 0, dropped 0, rejected 0\n"
        "  no rule matched"
    )
    counters.packets, counters.messages, counters.malformed = 9, 7, 1
    counters.accepted, counters.dropped, counters.rejected = 4, 2, 1
    counters.held, counters.state_full = 3, 5
    counters.drops = {"refused-flow": 2}
    counters.rules = {"scanner": 2, "blocked-destination": 4}
    assert report.text_summary(counters) == (
        "9 packets, 7 SIP messages, 1 malformed\n"
        "accepted 4, dropped 2, rejected 1, held back by monitoring 3\n"
        "  packets dropped, refused-flow: 2\n"
        "  blocked-destination: 4\n"
        "  scanner: 2"
    )
    assert report.summary_record(counters) == {
        "packets": 9,
        "messages": 7,
        "malformed": 1,
        "accepted": 4,
        "dropped": 2,
        "rejected": 1,
        "held": 3,
        "bans": 0,
        "state_full": 5,
        "drops": {"refused-flow": 2},
        "rules": {"blocked-destination": 4, "scanner": 2},
    }


def test_what_is_worth_a_log_line() -> None:
    def worst(packet: Packet, toml: str = "") -> bool:
        return report.worst(engine(toml).inspect(packet, NOW))

    assert not report.worst(NOT_SIP)
    assert not worst(udp(sip()))
    assert worst(udp(invite(LISTED)))
    assert worst(udp(invite(LISTED)), 'mode = "monitor"\n')
    assert not worst(Packet(b"\x45"))
    assert worst(Packet(b"\x45"), '[policy]\nmalformed = "drop"\n')
