"""What is a try, what is its answer, and what an answer says."""

import pytest
from builders import JAPAN, JAPAN6, NOW, engine, octets, sip, udp
from ringfence.facts import Facts
from ringfence.facts.attempts import (
    ANSWER_WITHIN,
    MAX_ACCEPTED,
    MAX_OPEN,
    MAX_OUTDATED,
    MAX_SAME,
    MAX_TOLD,
    Attempts,
    Kind,
    Outcome,
    Sent,
)
from ringfence.facts.facts import network_key

PBX = "192.168.50.2"
OTHER = "198.51.100.77"
JUDGE = engine()


def facts(payload: bytes, src: str, dst: str, sport: int = 5060) -> Facts:
    found = JUDGE.inspect(udp(payload, src, dst, sport=sport), NOW).findings[0].facts
    assert isinstance(found, Facts)
    return found


def fields(number: int, method: str, word: str | None) -> dict[str, str | None]:
    digest = f'Digest username="201@x", nonce="n", response="{word}"'
    return {
        "Via": f"SIP/2.0/UDP h;branch=z9hG4bK{number}, SIP/2.0/UDP i;branch=z9hG4bKz",
        "Call-ID": "c",
        "CSeq": f"{number} {method}",
        "Authorization": None if word is None else digest,
    }


def asked(
    number: int,
    word: str | None = "w",
    method: str = "REGISTER",
    sport: int = 5060,
    dst: str = PBX,
) -> Facts:
    uri = "sip:pbx.example"
    return facts(sip(method, uri, fields(number, method, word)), JAPAN, dst, sport)


def told(
    status: int, number: int, method: str = "REGISTER", dst: str = JAPAN, more: str = ""
) -> Facts:
    head = {
        **fields(number, method, None),
        "WWW-Authenticate": f'Digest nonce="m"{more}',
    }
    text = sip("OPTIONS", "sip:x", head)
    text = text.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 %d Any" % status)
    return facts(text, PBX, dst)


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        *(("REGISTER", status, Kind.FAILURE) for status in (401, 403, 404, 407)),
        *(("INVITE", status, Kind.FAILURE) for status in (401, 403, 404, 407)),
        ("SUBSCRIBE", 401, Kind.FAILURE),
        ("SUBSCRIBE", 404, None),
        ("REGISTER", 200, Kind.SUCCESS),
        ("INVITE", 200, None),
        *(("REGISTER", status, None) for status in (100, 302, 423, 500, 503)),
    ],
)
def test_answers_to_credentials(method: str, status: int, kind: Kind | None) -> None:
    attempts = Attempts()
    assert attempts.sent(asked(1, method=method), 0.0, 5) is Sent.NEW
    found = attempts.answered(told(status, 1, method), 1.0)
    assert (found.kind if found else None) is kind
    if found:
        refused = status in (403, 404)
        assert found == Outcome(kind, octets(JAPAN), "201", "outside", refused)  # type: ignore[arg-type]
    again = attempts.answered(told(status, 1, method), 1.0)
    assert again is None, "an answer that is repeated says nothing new"


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        ("REGISTER", 401, None),
        ("REGISTER", 403, Kind.FAILURE),
        ("REGISTER", 404, Kind.FAILURE),
        ("INVITE", 404, Kind.REFUSAL),
        ("OPTIONS", 403, Kind.REFUSAL),
        ("SUBSCRIBE", 404, None),
        ("REGISTER", 200, None),
    ],
)
def test_answers_to_a_request_without_credentials(
    method: str, status: int, kind: Kind | None
) -> None:
    attempts = Attempts()
    found = attempts.answered(told(status, 1, method), 1.0)
    assert (found.kind if found else None) is kind
    assert attempts.answered(told(status, 1, method), 2.0) is None


def signed(attempts: Attempts, number: int, status: int, user: str = "201") -> object:
    """Let a phone sign a request with the nonce `n`, and its PBX answer."""
    head = fields(number, "REGISTER", f"w{number}")
    assert head["Authorization"] is not None
    head["Authorization"] = head["Authorization"].replace("201", user)
    # From elsewhere: the other tests' client must stay a stranger to the judge.
    client = "198.51.100.77"
    tried = facts(sip("REGISTER", "sip:pbx.example", head), client, PBX)
    attempts.sent(tried, float(number), 99)
    found = attempts.answered(told(status, number, dst=client), float(number))
    return found.kind if found else None


def test_a_nonce_that_was_accepted_before_is_outdated_not_wrong() -> None:
    """A PBX that was restarted knows none of its nonces; Kamailio says no stale=true."""
    attempts = Attempts()
    assert signed(attempts, 1, 200) is Kind.SUCCESS
    assert signed(attempts, 2, 401) is None
    assert signed(attempts, 3, 401, "202") is Kind.FAILURE, "its nonce, not theirs"
    assert signed(attempts, 4, 403) is Kind.FAILURE, "that one speaks of the account"


def test_an_accepted_nonce_excuses_only_so_much() -> None:
    attempts = Attempts()
    signed(attempts, 1, 200)
    found = [signed(attempts, 2 + number, 401) for number in range(MAX_OUTDATED + 1)]
    assert found == [None] * MAX_OUTDATED + [Kind.FAILURE]


def test_accepted_nonces_are_bounded() -> None:
    attempts = Attempts()
    signed(attempts, 1, 200)
    for number in range(MAX_ACCEPTED):
        attempts._accepted.put(number, 1, 2.0)
    assert len(attempts._accepted) == MAX_ACCEPTED
    assert signed(attempts, 3, 401) is Kind.FAILURE, "the oldest has gone"


@pytest.mark.parametrize("more", [", stale=true", ', STALE = "TRUE"'])
def test_stale_credentials_have_not_failed(more: str) -> None:
    attempts = Attempts()
    attempts.sent(asked(1), 0.0, 5)
    assert attempts.answered(told(401, 1, more=more), 1.0) is None


def test_a_retransmission_is_the_same_try_from_every_port_and_after_its_answer() -> (
    None
):
    attempts = Attempts()
    assert attempts.sent(asked(1), 0.0, 1) is Sent.NEW
    assert attempts.sent(asked(1, sport=9), 0.5, 1) is Sent.REPEATED
    attempts.answered(told(401, 1), 1.0)
    assert attempts.sent(asked(1), 1.5, 1) is Sent.REPEATED
    assert attempts.sent(asked(1, "other"), 2.0, 1) is Sent.NEW


def test_only_so_many_wait_for_an_answer() -> None:
    attempts = Attempts()
    found = [attempts.sent(asked(number), 0.0, 3) for number in range(4)]
    assert found == [Sent.NEW] * 3 + [Sent.TOO_MANY]
    attempts.answered(told(100, 0), 0.1)
    assert attempts.sent(asked(4), 0.1, 3) is Sent.TOO_MANY, "100 promises nothing"
    attempts.answered(told(180, 0), 0.1)
    assert attempts.sent(asked(5), 0.2, 3) is Sent.NEW
    assert attempts.sent(asked(6), ANSWER_WITHIN + 1.0, 3) is Sent.NEW


def test_credentials_within_one_transaction_are_bounded() -> None:
    attempts = Attempts()
    found = [attempts.sent(asked(1, f"w{at}"), 0.0, 99) for at in range(MAX_SAME + 1)]
    assert found == [Sent.NEW] * MAX_SAME + [Sent.TOO_MANY]


def test_tables_are_bounded_and_nothing_is_left_behind() -> None:
    attempts = Attempts()
    one = asked(1)
    for number in range(MAX_OPEN + 1):
        one.message._fields["call-id"] = str(number).encode()
        attempts.sent(one, 0.0, MAX_OPEN * 2)
    assert (len(attempts), attempts.evicted) == (MAX_OPEN, 1)
    assert attempts._waiting == {octets(JAPAN): MAX_OPEN}
    assert attempts.late(ANSWER_WITHIN + 1.0) == []
    assert len(attempts) == 0
    assert (attempts._waiting, attempts._in_air, attempts._open) == ({}, {}, {})
    refused = told(404, 1)
    for number in range(MAX_TOLD + 1):
        refused.message._fields["call-id"] = str(number).encode()
        attempts.answered(refused, 100.0)
    assert len(attempts._told) == MAX_TOLD


def test_attempts_of_one_transaction_age_one_by_one() -> None:
    attempts = Attempts()
    for at, word in enumerate("abc"):
        assert attempts.sent(asked(1, word), at * 10.0, 9) is Sent.NEW
    assert attempts.late(ANSWER_WITHIN + 5.0) == []
    assert len(attempts) == 2
    assert attempts.sent(asked(1, "c"), ANSWER_WITHIN + 5.0, 9) is Sent.REPEATED
    assert attempts.sent(asked(1, "b"), ANSWER_WITHIN + 5.0, 9) is Sent.REPEATED
    assert attempts.sent(asked(1, "a"), ANSWER_WITHIN + 5.0, 9) is Sent.NEW
    attempts.late(ANSWER_WITHIN + 99.0)
    assert (attempts._waiting, attempts._in_air, attempts._open) == ({}, {}, {})


def test_an_answer_that_comes_too_late_says_nothing() -> None:
    attempts = Attempts()
    attempts.sent(asked(1), 0.0, 5)
    assert attempts.answered(told(401, 1), ANSWER_WITHIN + 0.1) is None


def test_silence_of_one_server_is_not_that_of_another() -> None:
    attempts = Attempts()
    found: list[Outcome] = []
    attempts.answered(told(200, 7, "OPTIONS", OTHER), 0.0)
    attempts.sent(asked(1), 0.5, 5)
    attempts.sent(asked(2, dst="192.168.50.9"), 0.6, 5)
    for at in range(4, 40, 4):
        attempts.answered(told(200, 7, "OPTIONS", OTHER), float(at))
        found += attempts.late(float(at))
    assert len(found) == 1, "the other server never said anything to anybody"


def test_silence_about_hearsay_is_hearsay() -> None:
    attempts = Attempts()
    anybody = asked(1)
    anybody.hearsay = True
    attempts.answered(told(200, 7, "OPTIONS", OTHER), 0.0)
    attempts.sent(anybody, 0.5, 5)
    found: list[Outcome] = []
    for at in range(4, 40, 4):
        attempts.answered(told(200, 7, "OPTIONS", OTHER), float(at))
        found += attempts.late(float(at))
    assert [outcome.hearsay for outcome in found] == [True]


@pytest.mark.parametrize("status", [100, 200])
def test_who_was_answered_was_not_ignored(status: int) -> None:
    attempts = Attempts()
    attempts.answered(told(200, 7, "OPTIONS", OTHER), 0.0)
    attempts.sent(asked(1), 0.5, 5)
    attempts.answered(told(status, 1), 1.0)
    for at in range(4, 40, 4):
        attempts.answered(told(200, 7, "OPTIONS", OTHER), float(at))
        assert attempts.late(float(at)) == []


def silence(answers: dict[float, str]) -> list[Outcome]:
    """One attempt at 20 s that nobody answers; answers to others at these times."""
    attempts = Attempts()
    found: list[Outcome] = []
    for at in sorted([*answers, 20.5, 60.0]):
        if at == 20.5:
            attempts.sent(asked(1), at, 5)
        if at in answers:
            attempts.answered(told(200, 7, "OPTIONS", answers[at]), at)
        found += attempts.late(at)
    return found


def test_silence_is_a_failure_while_the_server_answers_somebody_else() -> None:
    found = silence({float(at): OTHER for at in range(0, 60, 4)})
    assert found == [Outcome(Kind.FAILURE, octets(JAPAN), "201", "outside")]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {float(at): JAPAN for at in range(0, 60, 4)},
        {float(at): OTHER for at in range(0, 20, 4)},
        {float(at): OTHER for at in range(24, 60, 4)},
        {float(at): OTHER for at in (*range(0, 20, 4), *range(32, 60, 4))},
    ],
    ids=["nobody", "only-this-one", "before", "after", "away-in-between"],
)
def test_silence_is_none_while_the_server_may_be_away(
    answers: dict[float, str],
) -> None:
    assert silence(answers) == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (JAPAN, octets(JAPAN)),
        (JAPAN6, octets(JAPAN6)[:8]),
        ("64:ff9b::192.0.2.1".replace("192.0.2.1", "c000:201"), None),
        ("::ffff:c000:201", None),
        ("2002:c000:201::1", octets("2002:c000:201::1")[:8]),
    ],
)
def test_whom_one_person_holds(address: str, network: bytes | None) -> None:
    assert network_key(octets(address)) == (network or octets(address))
