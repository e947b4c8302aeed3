"""Bundles and keys."""

from doctoring import DAY, NOW, agent, one, states
from ringfence.doctor.checks.bundles import OLD
from ringfence.doctor.readings import Bundle, Keys, Stored, Unread

KEYS = "/usr/share/ringfence/keys"


def stored(created: int, expires: int, **more: object) -> Stored:
    there = Stored((Bundle("a", "1.42", created, expires),), "a")
    return there._replace(**more)  # type: ignore[arg-type]


def test_age() -> None:
    fresh = stored(NOW - OLD, NOW + DAY)
    assert one("bundle", stored=fresh).state == "fine"
    assert one("bundle", stored=stored(NOW - OLD - 1, NOW + DAY)).state == "note"
    expired = stored(NOW - 200 * DAY, NOW)
    assert one("bundle", stored=expired).state == "warning"
    assert "expired on 2026-11-22" in one("bundle", stored=expired).what
    assert one("bundle", stored=expired, clock=Unread("x")).state == "fine"


def test_trial() -> None:
    tried = stored(NOW, NOW + DAY, trial="a, 2 starts left")
    said = one("bundle", stored=tried)
    assert said.state == "note"
    assert "a, 2 starts left" in said.what


def test_what_cannot_be_used_is_told_with_its_reasons() -> None:
    bad = stored(NOW, NOW + DAY, problems=("b.tar: wrong signature", "x"))
    assert states("bundle", stored=bad) == ["fine", "warning"]
    nothing = Stored((), None, None, ("a.tar: wrong signature",))
    embedded = agent(rules_from={"source": "embedded"})
    assert states("bundle", stored=nothing, agent=embedded) == ["note", "warning"]


def test_no_bundle_and_rules_by_hand() -> None:
    assert one("bundle", stored=Stored(), agent=None).state == "note"
    by_hand = agent(rules_from={"source": "/home/me/rules"})
    said = one("bundle", agent=by_hand)
    assert said.state == "note"
    assert "/home/me/rules" in said.what
    assert one("bundle", stored=Unread("not root")).state == "unknown"


def test_an_agent_that_has_not_taken_the_best_up() -> None:
    behind = agent(rules_from={"source": "factory", "epoch": 1, "version": 1})
    assert states("bundle", agent=behind) == ["warning", "fine"]


def test_keys() -> None:
    assert one("keys").state == "fine"
    # What is put into a router's /usr is gone with the next firmware.
    said = one("keys", keys=Keys(KEYS))
    assert said.state == "note"
    assert (
        said.do[0]
        == "mkdir -p /etc/ringfence/keys/1; cp KEY.pub /etc/ringfence/keys/1/"
    )
    assert said.do[1].endswith('# [bundle] keys = "/etc/ringfence/keys"')
    said = one("keys", keys=Keys("/srv/keys"))
    assert said.do == ("mkdir -p /srv/keys/1; cp KEY.pub /srv/keys/1/",)
    broken = Keys(KEYS, 0, f"{KEYS}/1/x:2: not base64")
    said = one("keys", keys=broken)
    assert said.state == "problem"
    assert "not base64" in said.what
    free = Keys(KEYS, 2, None, (f"{KEYS}/1",))
    assert states("keys", keys=free) == ["fine", "problem"]
    assert one("keys", keys=Unread("x")).state == "unknown"
