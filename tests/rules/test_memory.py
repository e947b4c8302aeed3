"""What counting remembers when strangers never stop coming: bounded, and gone in time."""

import itertools
import tracemalloc

import pytest
from bench import judging
from ringfence.bundle import tables
from ringfence.config import assemble
from ringfence.config.read import parse_config
from ringfence.engine import Engine
from ringfence.facts.attempts import ANSWER_WITHIN, MAX_OPEN
from ringfence.facts.days import KEPT
from ringfence.facts.exposure import MAX_PEERS
from ringfence.packet import LINKTYPE_RAW, Instant, Packet
from ringfence.rules.bans import MAX_SOURCES, Length
from ringfence.rules.memory import MAX_EVENTS, MAX_KEYS, Memory, _tally
from ringfence.rules.model import Count, RuleSet
from ringfence.state import Recent

MESSAGES = 200_000
"""Half as many sources, each for an account of its own."""

FULL = 38_000_000
"""Bytes that all tables together take at most; README says so."""


def engine() -> Engine:
    return Engine(assemble(parse_config("", "defaults")))


def bounded(judge: Engine) -> dict[str, tuple[int, int]]:
    """Return the sizes, and what no table counts but must not grow either."""
    attempts = judge.memory.attempts
    assert len(attempts._open) <= len(attempts) <= MAX_OPEN
    assert sum(attempts._waiting.values()) == len(attempts)
    assert sum(attempts._in_air.values()) <= len(attempts)
    assert len(attempts._late) <= MAX_OPEN
    sizes = judge.memory.sizes()
    sizes |= judge.exposure.sizes()
    assert all(held <= most for held, most in sizes.values()), sizes
    return sizes


def test_strangers_without_end_fill_the_tables_and_no_more() -> None:
    judge = engine()
    table = tables.open_country_table(tables.find_rules_dir())
    seen: list[dict[str, tuple[int, int]]] = []
    for number, data in enumerate(itertools.islice(judging.packets(table), MESSAGES)):
        now = Instant(number / 2000, number / 2000)
        decision = judge.inspect(Packet(data, LINKTYPE_RAW, len(data)), now)
        assert decision.findings, "every packet of it is a message"
        if number in (MESSAGES // 2, MESSAGES - 1):
            seen.append(bounded(judge))
    assert judge.counters.bans == 0, "nobody came twice"
    half, whole = seen
    full = {name for name, (held, most) in half.items() if held == most}
    assert {"attempts", "request-flood per source"} <= full
    assert {name: whole[name] for name in full} == {name: half[name] for name in full}

    attempts = judge.memory.attempts
    attempts.late(now.mono + ANSWER_WITHIN + 1.0)
    assert (len(attempts), len(attempts.late(now.mono + 99.0))) == (0, 0)
    assert (attempts._waiting, attempts._in_air, attempts._open) == ({}, {}, {})


def test_all_tables_full_take_no_more_than_is_said() -> None:
    judge = engine()
    table = tables.open_country_table(tables.find_rules_dir())
    memory = judge.memory
    memory.use(judge.settings.rules)
    tracemalloc.start()
    try:
        for peer in itertools.islice(judging.peers(table), MAX_OPEN):
            (unanswered,) = judging.exchange(3, peer)
            data = judging.packet(unanswered)
            judge.inspect(Packet(data, LINKTYPE_RAW, len(data)), Instant(0.0, 0.0))
        for counting in memory._counting.values():
            for names, tally in counting.tallies:
                most = counting.count.most if isinstance(tally, Recent) else 1
                for key in range(MAX_KEYS):
                    for event in range(most):
                        tally.add(hash((names, key)), hash((key, event)), key, 0.0)
        for key in range(MAX_SOURCES):
            memory.bans.ban(key.to_bytes(8), Length(300, 300), 0.0)
            memory._known.put(hash((key, "known")), True, 0.0)
            memory._insiders.put(key.to_bytes(16), True, 0.0)
            memory._guarded.put(hash((key, "guarded")), (1.0, "rule"), 0.0)
            memory.attempts._told.put(hash((key, "told")), True, 0.0)
            memory.attempts._spoke(key.to_bytes(4), b"", 0.0)
            memory.attempts._accepted.put(hash((key, "accepted")), 8, 0.0)
            standing = judge.signins.standing
            standing._nonces.put(hash((key, "nonce")), key.to_bytes(4), 0.0)
            standing._asked.put(hash((key, "asked")), True, 0.0)
            standing.welcome(key.to_bytes(4), 0.0)
            exposure = judge.exposure
            exposure._registering.put(key.to_bytes(8), (key, float(key)), 0.0)
            exposure._asking.put(key.to_bytes(8), (key, float(key)), 0.0)
            exposure._tried.put(hash((key, "tried")), True, 0.0)
        networks = [one.to_bytes(8).hex() for one in range(MAX_PEERS)]
        days = [[one, one, one] for one in range(KEPT)]
        last = dict.fromkeys(("since", "stranger", "honest"), 1)
        exposure.load({"latest": 1, "peers": networks, "days": days, **last})
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    sizes = {**memory.sizes(), **judge.signins.standing.sizes(), **exposure.sizes()}
    assert all(held == most for held, most in sizes.values())
    assert taken < FULL


@pytest.mark.parametrize(
    ("over", "keys"), [(5, MAX_KEYS), (31, MAX_KEYS), (32, 7_943), (256, 1_020)]
)
def test_a_higher_threshold_takes_no_more_room(over: int, keys: int) -> None:
    tally = _tally(Count((("source",),), over, 60.0, "account", False))
    assert isinstance(tally, Recent)
    assert (tally.table.capacity, tally.most) == (keys, over + 1)
    assert tally.table.capacity * tally.most <= MAX_EVENTS


def test_nothing_is_remembered_before_there_are_rules() -> None:
    memory = Memory()
    assert sum(held for held, _ in memory.sizes().values()) == 0
    assert not memory.unban(bytes(4))


def test_a_reload_keeps_what_is_counted_as_before() -> None:
    rules = engine().settings.rules
    (rule,) = [rule for rule in rules.rules if rule.id == "password-guessing"]
    assert rule.count is not None
    memory = Memory()
    memory.use(RuleSet([rule]))
    ((_, tally),) = memory._counting[rule.id].tallies
    tally.add(1, None, 0, 0.0)
    memory.use(RuleSet([rule._replace(severity="low")]))
    assert memory.sizes()["password-guessing per source"] == (1, MAX_KEYS)
    memory.use(RuleSet([rule._replace(count=rule.count._replace(over=9))]))
    assert memory.sizes()["password-guessing per source"] == (0, MAX_KEYS)
    memory.use(RuleSet([]))
    assert "password-guessing per source" not in memory.sizes()
