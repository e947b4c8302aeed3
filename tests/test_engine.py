"""The judgement, from packet to decision, in DESIGN's order."""

import pytest
from builders import (
    ABROAD,
    ABROAD6,
    ACK,
    FIN,
    INSIDE,
    JAPAN,
    JAPAN6,
    LISTED,
    NOW,
    NOWHERE,
    RST,
    SYN,
    UNLISTED,
    engine,
    invite,
    octets,
    register,
    response,
    rule,
    settings,
    sip,
    tcp,
    udp,
)
from ringfence.decision import NOT_SIP, Decision, Ruling, Verdict
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet
from ringfence.rules import Rule

ACCEPT, REJECT, DROP = Verdict.ACCEPT, Verdict.REJECT, Verdict.DROP


def ruling(
    packet: Packet, toml: str = "", *rules: Rule, on: Engine | None = None
) -> Ruling:
    """Judge one packet that holds one message."""
    decision = (on or engine(toml, *rules)).inspect(packet, NOW)
    assert len(decision.findings) == 1
    assert decision.verdict is decision.findings[0].ruling.verdict
    assert decision.reason == decision.findings[0].ruling.reason
    return decision.findings[0].ruling


# Order of judgement ---------------------------------------------------------------

EVERYONE = rule(id="everyone", severity="critical")
"""Drops every request from outside."""
CALLS = rule(
    {"method": "INVITE", "side": ["inside", "outside"]},
    id="calls",
    judges="destination",
    verdict="reject",
)
"""Rejects every call from anywhere."""

BLOCK_SOURCE = '[origin]\nblock = ["198.51.100.0/24"]\n'
BLOCK_NUMBER = '[numbers]\nblock = ["1212"]\n'


@pytest.mark.parametrize("number", ["119", "110", "118", "0119", "186119"])
def test_an_emergency_call_passes_before_everything(number: str) -> None:
    found = ruling(
        udp(invite(number), JAPAN),
        BLOCK_SOURCE + '[numbers]\nprofile = "home"\n[policy]\nmalformed = "drop"\n',
        EVERYONE,
        CALLS,
    )
    assert found.verdict is ACCEPT
    assert (found.rule, found.source, found.would) == (None, "builtin", None)


@pytest.mark.parametrize("source", [INSIDE, JAPAN])
def test_another_special_number_passes_before_everything_from_inside(
    source: str,
) -> None:
    scanned = CALLS._replace(judges="source", verdict=DROP)
    found = ruling(udp(invite("104"), source), "", scanned)
    assert (found.verdict is ACCEPT) is (source == INSIDE)
    assert found.source == ("builtin" if source == INSIDE else "bundle")


def test_an_emergency_call_passes_with_every_flaw() -> None:
    flawed = invite("119").replace(b"\r\n\r\n", b"\r\n").replace(b"SIP/2.0", b"SIP/3.0")
    found = ruling(udp(flawed, ABROAD), '[policy]\nmalformed = "drop"\n')
    assert (found.verdict, found.source) == (ACCEPT, "builtin")


def test_a_local_allow_of_the_source_outranks_a_local_block() -> None:
    toml = '[origin]\nallow = ["198.51.100.10"]\nblock = ["198.51.100.0/24"]\n'
    assert ruling(udp(sip(), JAPAN), toml).verdict is ACCEPT
    assert ruling(udp(sip(), "198.51.100.11"), toml).verdict is DROP


def test_a_local_allow_of_a_country_outranks_a_local_block() -> None:
    toml = '[origin]\nallow = ["NL"]\nblock = ["192.0.2.0/24"]\n'
    assert ruling(udp(sip(), ABROAD), toml).verdict is ACCEPT


def test_a_local_allow_of_the_source_outranks_rules_that_judge_sources() -> None:
    allowed = '[origin]\nallow = ["198.51.100.10"]\n'
    assert ruling(udp(sip(), JAPAN), allowed, EVERYONE).verdict is ACCEPT
    assert ruling(udp(sip(), JAPAN), "", EVERYONE).verdict is DROP
    found = ruling(udp(invite(), JAPAN), allowed, EVERYONE, CALLS)
    assert found.rule == "calls", "a rule about destinations is not overridden by it"


def test_a_local_allow_of_the_number_outranks_rules_that_judge_destinations() -> None:
    allowed = '[numbers]\nallow = ["1212"]\n'
    found = ruling(udp(invite(UNLISTED)), allowed, CALLS)
    assert (found.verdict, found.source) == (ACCEPT, "allow")
    assert ruling(udp(invite(UNLISTED)), "", CALLS).verdict is REJECT
    found = ruling(udp(invite(UNLISTED), JAPAN), allowed, EVERYONE, CALLS)
    assert found.rule == "everyone", "a rule about sources is not overridden by it"


def test_a_local_block_of_the_source_comes_before_the_rules() -> None:
    found = ruling(udp(register(), JAPAN), BLOCK_SOURCE, EVERYONE)
    assert found == Ruling(
        DROP, "local-block", "the source is on the site's block list", "block"
    )


def test_a_local_block_of_a_country() -> None:
    toml = '[origin]\nblock = ["NL"]\n'
    assert ruling(udp(sip(), ABROAD), toml).rule == "local-block"
    assert ruling(udp(sip(), ABROAD6), toml).rule == "local-block"
    assert ruling(udp(sip(), JAPAN), toml).verdict is ACCEPT
    assert ruling(udp(sip(), NOWHERE), toml).verdict is ACCEPT


def test_a_local_block_of_the_number_comes_before_the_rules() -> None:
    found = ruling(udp(invite(UNLISTED), JAPAN), BLOCK_NUMBER, EVERYONE)
    assert (found.verdict, found.rule, found.source) == (DROP, "local-block", "block")
    found = ruling(udp(invite(UNLISTED)), BLOCK_NUMBER, EVERYONE)
    assert (found.verdict, found.rule, found.source) == (REJECT, "local-block", "block")


LISTED_URI = "<sip:01023276123456@example.com>"
TRANSFER = sip("REFER", fields={"Refer-To": LISTED_URI})
FORWARDING = response(302, {"CSeq": "1 INVITE", "Contact": LISTED_URI})


def test_a_transfer_is_refused_and_a_forwarding_dropped() -> None:
    call = "call to +23276123456 (SL, international)"
    found = ruling(udp(TRANSFER))
    assert found == Ruling(REJECT, "blocked-destination", f"Refer-To: {call}", "bundle")
    found = ruling(udp(FORWARDING))
    assert found == Ruling(DROP, "blocked-destination", f"Contact: {call}", "bundle")
    assert ruling(udp(TRANSFER, JAPAN)).verdict is DROP
    assert ruling(udp(FORWARDING, JAPAN)).verdict is DROP


@pytest.mark.parametrize(
    ("toml", "verdict", "why"),
    [
        ('[numbers]\nallow = ["232"]\n', ACCEPT, "numbers.allow has 232"),
        ('[numbers]\nblock = ["232"]\n', REJECT, "numbers.block has 232"),
        ('[numbers]\nprofile = "home"\n', REJECT, "profile home: SL is not allowed"),
    ],
)
def test_the_site_has_its_word_on_transfers(
    toml: str, verdict: Verdict, why: str
) -> None:
    found = ruling(udp(TRANSFER), toml)
    assert (found.verdict, found.reason) == (verdict, f"Refer-To: {why}")
    dropped = DROP if verdict is REJECT else ACCEPT
    found = ruling(udp(FORWARDING), toml)
    assert (found.verdict, found.reason) == (dropped, f"Contact: {why}")


def test_monitoring_and_watching_hold_transfers_back() -> None:
    for toml in ('mode = "monitor"\n', '[numbers]\nprofile = "watch"\n'):
        found = ruling(udp(TRANSFER), toml)
        assert (found.verdict, found.would) == (ACCEPT, REJECT)
        found = ruling(udp(FORWARDING), toml)
        assert (found.verdict, found.would) == (ACCEPT, DROP)


@pytest.mark.parametrize(
    "message",
    [
        sip("REFER", fields={"Refer-To": "<sip:119@example.com>"}),
        response(302, {"CSeq": "1 INVITE", "Contact": "<sip:119@example.com>"}),
        response(380, {"CSeq": "1 INVITE", "Contact": "<urn:service:sos>"}),
    ],
)
def test_who_is_sent_on_to_an_emergency_service_gets_there(message: bytes) -> None:
    for source in (INSIDE, JAPAN):
        found = ruling(udp(message, source), '[numbers]\nprofile = "home"\n')
        assert (found.verdict, found.source) == (ACCEPT, "builtin")


def test_a_rule_about_sources_says_nothing_of_the_field() -> None:
    about = rule(judges="source", reason="to {destination_number}")
    found = ruling(udp(TRANSFER, JAPAN), "", about)
    assert found.reason == "to 23276123456"


def test_a_local_block_of_the_source_comes_before_an_allowed_number() -> None:
    toml = BLOCK_SOURCE + '[numbers]\nallow = ["1212"]\n'
    assert ruling(udp(invite(UNLISTED), JAPAN), toml).verdict is DROP


def test_rules_are_asked_by_severity_then_id() -> None:
    rules = [
        rule(id="b-low", severity="low"),
        rule(id="d-critical", severity="critical"),
        rule(id="c-critical", severity="critical"),
        rule(id="a-medium", severity="medium"),
    ]
    assert ruling(udp(sip(), JAPAN), "", *rules).rule == "c-critical"


def test_rules_come_before_the_malformed_policy() -> None:
    flawed = sip().replace(b"\r\n\r\n", b"\r\n")
    toml = '[policy]\nmalformed = "drop"\n'
    assert ruling(udp(flawed, JAPAN), toml, EVERYONE).rule == "everyone"
    found = ruling(udp(flawed, INSIDE), toml, EVERYONE)
    assert found == Ruling(DROP, None, "sip.no-blank-line", "default")


def test_the_malformed_policy_comes_before_an_allowed_number() -> None:
    flawed = invite(UNLISTED).replace(b"\r\n\r\n", b"\r\n")
    allowed = '[numbers]\nallow = ["1212"]\n'
    assert ruling(udp(flawed), allowed).source == "allow"
    found = ruling(udp(flawed), allowed + '[policy]\nmalformed = "drop"\n')
    assert (found.verdict, found.reason) == (DROP, "sip.no-blank-line")


def test_what_nothing_speaks_against_passes() -> None:
    assert ruling(udp(sip(), JAPAN)) == Ruling(
        ACCEPT, None, "no rule matches", "default"
    )


# Monitoring and modes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "toml", "rule_id", "would"),
    [
        (udp(register(), ABROAD), "", "foreign-registration", DROP),
        (udp(invite(LISTED)), "", "blocked-destination", REJECT),
        (udp(invite(LISTED), JAPAN), "", "blocked-destination", DROP),
        (udp(sip(), JAPAN), BLOCK_SOURCE, "local-block", DROP),
        (udp(invite(UNLISTED)), BLOCK_NUMBER, "local-block", REJECT),
        (
            udp(sip().replace(b"\r\n\r\n", b"\r\n")),
            '[policy]\nmalformed = "drop"\n',
            None,
            DROP,
        ),
    ],
)
def test_monitoring_says_what_it_would_do_and_passes(
    packet: Packet, toml: str, rule_id: str | None, would: Verdict
) -> None:
    enforced = ruling(packet, toml)
    assert (enforced.verdict, enforced.would) == (would, None)
    held = ruling(packet, 'mode = "monitor"\n' + toml)
    assert held == enforced._replace(verdict=ACCEPT, would=would)
    assert held.rule == rule_id


def test_monitoring_holds_back_every_policy() -> None:
    toml = 'mode = "monitor"\n[policy]\nmalformed = "drop"\nstate_full = "drop"\n'
    watching = engine(toml)
    assert watching.inspect(Packet(b"\x45"), NOW).verdict is ACCEPT
    watching.intake.streams.flows.capacity = 0
    decision = watching.inspect(tcp(flags=SYN), NOW)
    assert decision == Decision(ACCEPT, "state-full")


@pytest.mark.parametrize(
    ("number", "toml", "rule_id"),
    [(LISTED, "", "blocked-destination"), (UNLISTED, 'block = ["1"]', "local-block")],
)
def test_the_watch_profile_holds_back_what_judges_destinations(
    number: str, toml: str, rule_id: str
) -> None:
    watch = f'[numbers]\nprofile = "watch"\n{toml}\n'
    found = ruling(udp(invite(number)), watch)
    assert (found.verdict, found.would, found.rule) == (ACCEPT, REJECT, rule_id)
    found = ruling(udp(register(), ABROAD), watch)
    assert found.verdict is DROP, "what judges sources is enforced"


def test_a_monitored_rule_lets_the_next_one_decide() -> None:
    toml = '[rules.foreign-registration]\nmode = "monitor"\n'
    scanner = {"From": '"sipvicious"<sip:100@1.1.1.1>;tag=1'}
    found = ruling(udp(register(scanner), ABROAD), toml)
    assert (found.verdict, found.rule) == (DROP, "scanner")
    found = ruling(udp(register(), ABROAD), toml)
    assert (found.verdict, found.would) == (ACCEPT, DROP)
    assert found.rule == "foreign-registration"


def test_of_several_monitored_rules_the_first_is_named() -> None:
    toml = "".join(
        f'[rules.{name}]\nmode = "monitor"\n'
        for name in ("foreign-registration", "scanner")
    )
    scanner = {"From": '"sipvicious"<sip:100@1.1.1.1>;tag=1'}
    found = ruling(udp(register(scanner), ABROAD), toml)
    assert (found.verdict, found.rule) == (ACCEPT, "foreign-registration")


def test_a_rule_that_is_off_is_not_there() -> None:
    toml = '[rules.foreign-registration]\nmode = "off"\n'
    assert ruling(udp(register(), ABROAD), toml).rule is None
    assert len(settings(toml).rules) == len(settings().rules) - 1


def test_a_monitored_rule_and_a_malformed_message() -> None:
    flawed = register().replace(b"\r\n\r\n", b"\r\n")
    toml = (
        '[policy]\nmalformed = "drop"\n[rules.foreign-registration]\nmode = "monitor"\n'
    )
    assert ruling(udp(flawed, ABROAD), toml).rule == "foreign-registration"


# Sides ----------------------------------------------------------------------------

WAN, LAN = 2, 1


@pytest.mark.parametrize("source", [INSIDE, JAPAN, ABROAD, "fe80::1", JAPAN6])
@pytest.mark.parametrize("indev", [-1, 0, WAN, LAN])
@pytest.mark.parametrize("outside", [set(), {WAN}, {WAN, 9}])
@pytest.mark.parametrize("inside", ["", "198.51.100.0/24", "2001:db8:81::/48"])
def test_side(source: str, indev: int, outside: set[int], inside: str) -> None:
    toml = f'[network]\ninside = ["{inside}"]\n' if inside else ""
    judge = engine(toml)
    judge.outside_interfaces = frozenset(outside)
    ours = source in (INSIDE, "fe80::1") or (
        (source, inside) in ((JAPAN, "198.51.100.0/24"), (JAPAN6, "2001:db8:81::/48"))
    )
    itself = indev == 0
    by_the_lan = indev == LAN and outside != set()
    expected = "inside" if ours or itself or by_the_lan else "outside"
    assert judge.side(octets(source), indev) == expected
    decision = judge.inspect(udp(sip(), source, indev=indev), NOW)
    facts = decision.findings[0].facts
    assert getattr(facts, "side", None) == expected


@pytest.mark.parametrize(
    ("source", "expected"), [(INSIDE, REJECT), (JAPAN, DROP), (ABROAD6, DROP)]
)
def test_reject_is_drop_for_whoever_is_outside(source: str, expected: Verdict) -> None:
    assert ruling(udp(invite(LISTED), source)).verdict is expected


# Policies -------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "verdict"), [("accept", ACCEPT), ("drop", DROP)])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x45\x00", "ip.short"),
        (udp(b"REGISTER nonsense\r\n\r\n").data, "sip.start-line"),
        (udp(b"INVITE\r\n\r\n").data, None),
        (udp(b"SIP/2.0 OK\r\n\r\n").data, "sip.start-line"),
        (udp(b"REGI\xffSTER sip:a SIP/2.0\r\n\r\n").data, "sip.method"),
        (udp(b"REGISTER  SIP/2.0\r\n\r\n").data, "sip.request-uri"),
        (tcp(b"SIP/2.0 OK\r\n\r\n").data, "sip.start-line"),
    ],
)
def test_malformed(
    word: str, verdict: Verdict, data: bytes, reason: str | None
) -> None:
    judge = engine(f'[policy]\nmalformed = "{word}"\n')
    decision = judge.inspect(Packet(data, length=len(data)), NOW)
    if reason is None:
        assert decision is NOT_SIP
    else:
        assert decision == Decision(verdict, reason, (), reason)
    assert judge.counters.malformed == (reason is not None)
    assert judge.counters.messages == 0
    dropped = reason is not None and verdict is DROP
    assert judge.counters.drops == ({reason: 1} if dropped else {})


def test_no_start_line_matters_only_on_a_sip_port() -> None:
    judge = engine('[policy]\nmalformed = "drop"\n')
    nonsense = b"REGISTER nonsense\r\n\r\n"
    assert judge.inspect(udp(nonsense, dport=5080), NOW) is NOT_SIP
    assert judge.inspect(udp(nonsense, dport=5060), NOW).verdict is DROP


@pytest.mark.parametrize(("word", "verdict"), [("accept", ACCEPT), ("drop", DROP)])
def test_flawed_messages(word: str, verdict: Verdict) -> None:
    judge = engine(f'[policy]\nmalformed = "{word}"\n')
    for flaw in (
        sip().replace(b"\r\n\r\n", b"\r\n"),
        sip(fields={"Content-Length": "1"}),
        sip(fields={"Content-Length": "x"}),
        sip().replace(b"SIP/2.0\r", b"SIP/7.0\r", 1),
    ):
        assert ruling(udp(flaw), on=judge).verdict is verdict
    assert ruling(udp(sip()), on=judge).verdict is ACCEPT
    assert judge.counters.malformed == 0, "they are messages, and counted as such"


@pytest.mark.parametrize(("word", "verdict"), [("accept", ACCEPT), ("drop", DROP)])
def test_a_head_without_an_end_is_not_waited_for(word: str, verdict: Verdict) -> None:
    endless = b"REGISTER sip:a SIP/2.0\r\n" + b"A: b\r\n" * 3000
    found = ruling(tcp(endless), f'[policy]\nmalformed = "{word}"\n')
    assert found.verdict is verdict
    found = ruling(tcp(endless, src=ABROAD), f'[policy]\nmalformed = "{word}"\n')
    assert found.rule == "foreign-registration"


@pytest.mark.parametrize(("word", "verdict"), [("accept", ACCEPT), ("drop", DROP)])
def test_state_full(word: str, verdict: Verdict) -> None:
    judge = engine(f'[policy]\nstate_full = "{word}"\n')
    judge.intake.streams.flows.capacity = 2
    for number in range(2):
        assert judge.inspect(tcp(flags=SYN, sport=number + 1), NOW) is NOT_SIP
    assert judge.counters.state_full == 0
    decision = judge.inspect(tcp(flags=SYN, sport=3), NOW)
    assert decision.verdict is verdict
    assert judge.counters.state_full == 1
    held = len(judge.intake.streams.flows)
    assert held == 2
    assert judge.intake.streams.flows.evicted == (word == "accept")
    if verdict is DROP:
        assert decision.reason == "state-full"
    assert judge.counters.drops == ({"state-full": 1} if verdict is DROP else {})
    # A known flow is not a new one, and age makes room.
    assert judge.inspect(tcp(flags=SYN, sport=2), NOW) is NOT_SIP
    later = Instant(NOW.mono + judge.intake.streams.flows.age + 1, NOW.wall)
    judge.inspect(tcp(flags=SYN, sport=9), later)
    assert judge.counters.state_full == 1


# What is no SIP -------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"hello",
        b"\x80\x00" + bytes(160),  # RTP
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),  # STUN
        b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("make", [udp, tcp])
def test_silent_on_what_is_no_sip(make: "type", payload: bytes) -> None:
    judge = engine('[policy]\nmalformed = "drop"\n')
    assert judge.inspect(make(payload, src=ABROAD), NOW) is NOT_SIP
    counters = judge.counters
    assert (counters.packets, counters.messages, counters.malformed) == (1, 0, 0)


# TCP ------------------------------------------------------------------------------


class Connection:
    """One direction of a TCP connection, byte by byte in order."""

    def __init__(self, judge: Engine, src: str = ABROAD, first: int = 7) -> None:
        self.judge = judge
        self.src = src
        self.seq = first
        self.at(0, flags=SYN)
        self.seq += 1

    def send(self, payload: bytes) -> Decision:
        decision = self.at(0, payload)
        self.seq += len(payload)
        return decision

    def at(self, offset: int, payload: bytes = b"", flags: int = ACK) -> Decision:
        """Send out of order: `offset` counts from the next byte in order."""
        packet = tcp(payload, (self.seq + offset) % 2**32, flags, self.src)
        return self.judge.inspect(packet, NOW)


def test_nothing_of_a_flow_passes_after_a_refusal() -> None:
    flow = Connection(engine())
    assert flow.send(sip()).verdict is ACCEPT
    assert flow.send(register()).verdict is DROP
    for payload in (sip(), b"x", register()):
        assert flow.send(payload) == Decision(DROP, "refused-flow")
    assert flow.at(0, b"").verdict is ACCEPT, "an ACK carries nothing"
    assert flow.judge.counters.messages == 2
    assert flow.judge.counters.drops == {"refused-flow": 3}


def test_monitoring_goes_on_judging_a_flow_that_was_refused() -> None:
    flow = Connection(engine())
    assert flow.send(register()).verdict is DROP
    flow.judge.settings = settings('mode = "monitor"\n')
    decision = flow.send(register())
    assert decision.verdict is ACCEPT
    assert decision.findings[0].ruling.would is DROP


def test_another_connection_is_another_flow() -> None:
    judge = engine()
    assert Connection(judge).send(register()).verdict is DROP
    other = Connection(judge, JAPAN)
    assert other.send(sip()).verdict is ACCEPT


def test_a_sender_that_contradicts_itself_is_not_heard_any_more() -> None:
    judge = engine()
    request = invite(UNLISTED)
    first, rest = request[:40], request[40:]
    judge.inspect(tcp(flags=SYN, seq=99), NOW)
    judge.inspect(tcp(first, seq=100), NOW)
    other = tcp(b"x" * 40, seq=100)
    assert judge.inspect(other, NOW) == Decision(DROP, "contradicting-flow")
    later = judge.inspect(tcp(rest, seq=140), NOW)
    assert later == Decision(DROP, "refused-flow")
    assert judge.counters.messages == 0
    assert judge.counters.drops == {"contradicting-flow": 1, "refused-flow": 1}


def test_a_dead_flow_is_not_revived_by_its_end() -> None:
    # The receiver lacks the refused bytes, so a FIN behind them ends nothing there.
    for flags in (FIN | ACK, RST):
        flow = Connection(engine())
        assert flow.send(register()).verdict is DROP
        flow.at(0, flags=flags)
        assert flow.at(1, b"EGISTER sip:x SIP/2.0\r\n\r\n").verdict is DROP


def test_a_new_connection_from_the_same_port_begins_anew() -> None:
    judge = engine()
    flow = Connection(judge)
    assert flow.send(register()).verdict is DROP
    # A new connection has a new sequence number (RFC 9293 section 3.4.1); the same
    # one again would only be the refused bytes sent anew.
    assert Connection(judge, first=1 << 20).send(sip()).verdict is ACCEPT


def test_a_message_in_many_segments_is_judged_when_it_is_whole() -> None:
    flow = Connection(engine())
    *parts, last = (bytes([octet]) for octet in register())
    assert all(flow.send(part) is NOT_SIP for part in parts)
    decision = flow.send(last)
    assert decision.verdict is DROP
    assert len(decision.findings) == 1


def test_several_messages_in_one_segment() -> None:
    flow = Connection(engine())
    decision = flow.send(sip() + register() + sip())
    assert [finding.ruling.verdict for finding in decision.findings] == [
        ACCEPT,
        DROP,
        ACCEPT,
    ]
    assert decision.verdict is DROP
    assert decision.reason == decision.findings[1].ruling.reason
    counters = flow.judge.counters
    assert (counters.messages, counters.accepted, counters.dropped) == (3, 2, 1)


def test_a_refused_message_and_noise_in_one_segment() -> None:
    flow = Connection(engine())
    decision = flow.send(register() + b"noise\r\n\r\n")
    assert decision.verdict is DROP
    assert flow.send(sip()) == Decision(DROP, "refused-flow")


def test_a_refused_message_and_a_malformed_one_in_one_segment() -> None:
    flow = Connection(engine())
    decision = flow.send(register() + b"SIP/2.0 OK\r\n\r\n")
    assert decision.verdict is DROP
    assert decision.malformed == "sip.start-line"
    assert len(decision.findings) == 1
    assert flow.send(sip()) == Decision(DROP, "refused-flow")


def test_after_noise_the_next_message_is_read() -> None:
    flow = Connection(engine())
    assert flow.send(b"noise\r\n\r\n") is NOT_SIP
    assert flow.send(register()).verdict is DROP


def test_a_malformed_message_is_counted_once_and_the_next_one_read() -> None:
    flow = Connection(engine())
    assert flow.send(b"SIP/2.0 OK\r\n\r\n").malformed == "sip.start-line"
    decision = flow.send(sip())
    assert decision.malformed is None
    assert len(decision.findings) == 1
    assert flow.judge.counters.malformed == 1


def test_a_malformed_message_that_is_dropped_ends_its_flow() -> None:
    flow = Connection(engine('[policy]\nmalformed = "drop"\n'))
    assert flow.send(b"SIP/2.0 OK\r\n\r\n").verdict is DROP
    assert flow.send(sip()) == Decision(DROP, "refused-flow")


@pytest.fixture(params=["at-once", "noise", "reset", "fin", "malformed"])
def distraction(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_first_byte_sent_last_hides_no_method(distraction: str) -> None:
    """What a thief sends first must not make us take the second byte for the first."""
    flow = Connection(engine())
    match distraction:
        case "noise":
            flow.send(b"noise\r\n\r\n")
        case "malformed":
            flow.send(b"SIP/2.0 OK\r\n\r\n")
        case "reset":  # beside the window: the receiver ignores it
            flow.at(100_000, flags=RST)
        case "fin":
            flow.at(1, flags=FIN | ACK)
    whole = register()
    assert flow.at(1, whole[1:]) is NOT_SIP
    assert flow.at(0, whole[:1]).verdict is DROP


def test_the_end_of_a_flow_in_order_frees_its_place() -> None:
    judge = engine()
    flow = Connection(judge)
    flow.send(sip())
    assert len(judge.intake.streams.flows) == 1
    flow.at(0, flags=FIN | ACK)
    assert len(judge.intake.streams.flows) == 0


@pytest.mark.parametrize("flags", [ACK, FIN | ACK, RST])
def test_only_a_beginning_opens_a_flow(flags: int) -> None:
    judge = engine()
    assert judge.inspect(tcp(flags=flags), NOW) is NOT_SIP
    assert len(judge.intake.streams.flows) == 0


def test_on_other_ports_only_what_begins_like_sip_is_followed() -> None:
    judge = engine()

    def elsewhere(payload: bytes, seq: int, flags: int = ACK) -> Decision:
        return judge.inspect(
            tcp(payload, seq, flags, ABROAD, sport=40_000, dport=5090), NOW
        )

    assert elsewhere(b"", 0, SYN) is NOT_SIP
    assert elsewhere(b"GET / HTTP/1.1\r\n\r\n", 1) is NOT_SIP
    assert len(judge.intake.streams.flows) == 0
    whole = register()
    assert elsewhere(whole[:100], 100) is NOT_SIP
    assert len(judge.intake.streams.flows) == 1
    assert elsewhere(whole[100:], 200).verdict is DROP


def test_a_large_body_is_passed_over_and_the_next_message_found() -> None:
    flow = Connection(engine())
    size = 70_000
    head = sip("MESSAGE", fields={"Content-Length": str(size)})
    assert len(flow.send(head).findings) == 1
    for _ in range(size // 1000):
        assert flow.send(bytes(1000)) is NOT_SIP
    assert flow.send(register()).verdict is DROP


# Counters and reloads -------------------------------------------------------------


def test_counters_add_up() -> None:
    judge = engine('[rules.scanner]\nmode = "monitor"\n')
    scanner = {"From": '"sipvicious"<sip:100@1.1.1.1>;tag=1'}
    for packet in (
        udp(sip()),
        udp(response()),
        udp(register(), ABROAD),
        udp(invite(LISTED)),
        udp(invite(LISTED), JAPAN),
        udp(sip(fields=scanner), JAPAN),
        udp(b"\r\n\r\n"),
        udp(b"REGISTER x\r\n\r\n"),
        Packet(b""),
        tcp(sip() + register(), src=ABROAD),
    ):
        judge.inspect(packet, NOW)
    counters = judge.counters
    assert counters.packets == 10
    assert counters.messages == 8
    assert counters.malformed == 2
    assert counters.accepted == 4
    assert counters.dropped == 3
    assert counters.rejected == 1
    assert counters.held == 1
    assert counters.accepted + counters.dropped + counters.rejected == counters.messages
    assert counters.rules == {
        "foreign-registration": 2,
        "blocked-destination": 2,
        "scanner": 1,
    }


def test_rule_on_counts_nothing() -> None:
    judge = engine()
    decision = judge.inspect(udp(register(), ABROAD), NOW)
    before = judge.counters.rules["foreign-registration"]
    judge.rule_on(decision.findings[0].facts)  # type: ignore[arg-type]
    assert judge.counters.rules["foreign-registration"] == before


def test_settings_are_exchanged_between_packets_and_state_stays() -> None:
    judge = engine()
    flow = Connection(judge)
    whole = register()
    flow.send(whole[:50])
    judge.settings = settings('[origin]\nhome = ["NL"]\n')
    assert flow.send(whole[50:]).verdict is ACCEPT
    judge.settings = judge.settings._replace(monitor=True)
    assert judge.counters.messages == 1
    held = ruling(udp(register(), JAPAN), on=judge)
    assert (held.verdict, held.would) == (ACCEPT, DROP)


def test_a_message_cut_by_the_capture_is_judged_on_its_head() -> None:
    judge = engine()
    whole = tcp(sip("REGISTER", body=b"x" * 900), src=ABROAD)
    kept = whole.data[: len(whole.data) - 500]
    decision = judge.inspect(Packet(kept, length=len(whole.data)), NOW)
    assert [finding.ruling.verdict for finding in decision.findings] == [DROP]
