"""Password guessing and honest phones, against a registrar that answers."""

import itertools
from collections.abc import Callable, Iterable

import pytest
from builders import INSIDE, JAPAN, JAPAN6, engine, octets, sip, tcp, udp
from ringfence.decision import Decision, Verdict
from ringfence.engine import Engine
from ringfence.packet import Instant, Packet
from ringfence.rules.memory import MAX_KEYS

PBX = "192.168.50.2"
PBX6 = "2001:db8:50::2"
SITE = '[network]\ninside = ["2001:db8:50::/48"]\n'
OPEN = SITE + '[rules.foreign-registration]\nmode = "off"\n'

BRANCHES = itertools.count()


class Site:
    """A registrar behind the engine: it answers what the engine lets through."""

    def __init__(self, toml: str = SITE, refusal: int = 401) -> None:
        self.engine: Engine = engine(toml)
        self.refusal = refusal
        self.now = 1000.0
        self.nonce = "n0"
        """Of the newest challenge."""
        self.away = False
        self.slow = False
        """Answers are owed instead of sent."""
        self.owed: list[tuple[dict[str, str | None], str | None, str, int]] = []
        self.tried: list[str] = []
        """Passwords that reached the registrar, in order."""
        self.decisions: list[Decision] = []

    def inspect(self, packet: Packet) -> Decision:
        decision = self.engine.inspect(packet, Instant(self.now, 1.8e9 + self.now))
        self.decisions.append(decision)
        return decision

    def register(
        self,
        user: str,
        password: str | None,
        src: str = JAPAN,
        *,
        sport: int = 5060,
        call_id: str = "",
        cseq: int = 1,
        branch: str = "",
        nonce: str = "",
        answered: bool = True,
        method: str = "REGISTER",
    ) -> int | None:
        """Send one request; return the status of the answer, None when none came."""
        branch = branch or f"z9hG4bK{next(BRANCHES)}"
        fields: dict[str, str | None] = {
            "Via": f"SIP/2.0/UDP {src}:{sport};branch={branch};rport",
            "From": f"<sip:{user}@pbx.example>;tag=1",
            "To": f"<sip:{user}@pbx.example>",
            "Call-ID": call_id or f"{branch}@x",
            "CSeq": f"{cseq} {method}",
        }
        if password is not None:
            fields["Authorization"] = (
                f'Digest username="{user}", realm="r", nonce="{nonce or self.nonce}", '
                f'uri="sip:pbx", response="{password}"'
            )
        pbx = PBX6 if ":" in src else PBX
        text = sip(method, f"sip:{pbx}", fields)
        if self.inspect(udp(text, src, pbx, sport=sport)).verdict is not Verdict.ACCEPT:
            return None
        if password is not None and not self.away:
            self.tried.append(password)
        if self.away or not answered:
            return None
        if self.slow:
            self.owed.append((fields, password, src, sport))
            return None
        return self.answer(fields, password, src, sport)

    def answer(
        self, fields: dict[str, str | None], password: str | None, src: str, sport: int
    ) -> int:
        status = {None: 401, "right": 200}.get(password, self.refusal)
        self.nonce = f"n{next(BRANCHES)}"
        more = {"WWW-Authenticate": f'Digest realm="r", nonce="{self.nonce}"'}
        head = {"Contact": None, "User-Agent": None, "Max-Forwards": None}
        text = sip(
            "OPTIONS", "sip:x", {**fields, **head, **(more if status == 401 else {})}
        )
        text = text.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 %d Any" % status, 1)
        pbx = PBX6 if ":" in src else PBX
        self.inspect(udp(text, pbx, src, dport=sport))
        return status

    def login(self, user: str, password: str, src: str = JAPAN) -> int | None:
        """Register as phones do: unasked, challenged, with credentials."""
        call_id = f"call{next(BRANCHES)}"
        assert self.register(user, None, src, call_id=call_id) in (401, None)
        return self.register(user, password, src, call_id=call_id, cseq=2)

    @property
    def bans(self) -> list[tuple[str | None, int]]:
        return [(d.ban, d.ban_s) for d in self.decisions if d.ban is not None]


WORDS = [f"word{number}" for number in range(20)] + ["right"]

Guesser = Callable[[Site], None]


def svcrack(site: Site) -> None:
    for word in WORDS:
        site.login("101", word)


def sippts(site: Site) -> None:
    for number, word in enumerate(WORDS):
        site.register("101", None, sport=20_000 + number, call_id="same")
        site.register("101", word, sport=20_000 + number, call_id="same")


def one_transaction(site: Site) -> None:
    for word in WORDS:
        site.register("101", word, call_id="same", branch="z9hG4bKsame")


def pipelined(site: Site) -> None:
    for word in WORDS:
        site.register("101", word, answered=False)


def calling(site: Site) -> None:
    for word in WORDS:
        site.register("101", word, method="INVITE")


def over_ipv6(site: Site) -> None:
    for number, word in enumerate(WORDS):
        site.register("101", word, f"2001:db8:81:1::{number + 1:x}")


@pytest.mark.parametrize("refusal", [401, 403, 404, 407])
@pytest.mark.parametrize(
    "guesser", [svcrack, sippts, one_transaction, pipelined, calling, over_ipv6]
)
def test_five_wrong_passwords_and_never_the_right_one(
    guesser: Guesser, refusal: int
) -> None:
    site = Site(refusal=refusal)
    guesser(site)
    assert site.tried == WORDS[:5]
    if guesser is not pipelined:
        assert site.bans == [("dst", 300)]
        assert site.decisions[-1].findings[0].ruling.rule == "banned"


def test_answers_that_come_late_ban_the_one_who_did_not_wait() -> None:
    site = Site()
    site.slow = True
    for word in WORDS:
        site.register("101", word)
    assert site.tried == WORDS[:5]
    assert site.bans == []
    site.slow = False
    for late in site.owed:
        site.answer(*late)
    assert site.bans == [("dst", 300)]


def test_an_answer_makes_no_room_for_another_try() -> None:
    """Live, answers come in while a guesser that does not wait still sends."""
    site = Site()
    site.slow = True
    for word in WORDS:
        site.register("101", word)
        if len(site.owed) >= 3:
            site.slow = False
            site.answer(*site.owed.pop(0))
            site.slow = True
    assert site.tried == WORDS[:5]


@pytest.mark.parametrize("src", [JAPAN, JAPAN6])
def test_sixty_phones_behind_one_address_register_at_once_three_times(src: str) -> None:
    site = Site()
    for round_ in range(3):
        site.now += 1.0
        users = [str(200 + number) for number in range(60)]
        asked = [site.register(user, None, src, cseq=1 + 2 * round_) for user in users]
        got = [site.register(user, "right", src, cseq=2 + 2 * round_) for user in users]
        assert (asked, got) == ([401] * 60, [200] * 60)
    assert all(decision.verdict is Verdict.ACCEPT for decision in site.decisions)
    assert site.bans == []
    assert site.engine.counters.rules == {}


def test_a_mistyped_password_twice_then_right_and_the_count_is_cleared() -> None:
    site = Site()
    for _ in range(4):
        assert [site.login("201", word) for word in ("a", "b", "right")] == [
            401,
            401,
            200,
        ]
    assert site.bans == []


def test_a_success_clears_only_its_own_account() -> None:
    site = Site()
    for word in "abcd":
        site.login("101", word)
        site.login("900", "right")
    assert site.login("101", "e") == 401
    assert site.bans == [("dst", 300)]


def phones(site: Site, number: int, seconds: Iterable[float]) -> None:
    """Let phones try again and again: a new try each half minute, repeated in between."""
    begin = site.now
    for second in seconds:
        site.now = begin + second
        for phone in range(number):
            attempt = int(second // 30)
            branch = f"z9hG4bKout{phone}-{attempt}-{begin}"
            user = str(200 + phone)
            site.register(user, "right", branch=branch, cseq=attempt, nonce=branch)


def test_a_pbx_that_is_away_for_five_minutes_bans_nobody() -> None:
    site = Site()
    for phone in range(60):
        assert site.login(str(200 + phone), "right") == 200
    assert site.login("900", "right", "198.51.100.77") == 200
    site.away = True
    phones(site, 60, range(0, 300, 2))
    site.away = False
    for second in range(60):
        site.now += 1
        assert site.login("900", "right", "198.51.100.77") == 200
        if second % 10 == 0:
            assert site.login("200", "right") == 200
    for phone in range(60):
        assert site.login(str(200 + phone), "right") == 200
    assert site.bans == []
    assert site.engine.counters.rules == {}


def test_a_restarted_pbx_that_refuses_every_old_nonce_bans_nobody() -> None:
    site = Site()
    for number in range(60):
        assert site.register(str(200 + number), "right", nonce=f"old{number}") == 200
    for number in range(60):
        # Their digest with the old nonce, then with the new one.
        site.register(str(200 + number), "digest", nonce=f"old{number}")
        assert site.register(str(200 + number), "right", nonce="new") == 200
    assert site.bans == []
    svcrack(site)
    assert site.bans == [("dst", 300)]


def test_silence_counts_while_the_same_server_answers_somebody_else() -> None:
    site = Site('[rules.password-guessing]\nwithin = "10m"\n')
    reached = 0
    for second in range(400):
        site.now += 1
        assert site.login("900", "right", "198.51.100.77") == 200
        if second % 10 == 0:
            before = len(site.tried)
            site.register("101", f"w{second}", answered=False)
            reached += len(site.tried) > before
    assert reached <= 5
    assert ("src", 300) in site.bans


@pytest.mark.parametrize(
    "toml", [SITE + f'[origin]\nallow = ["{JAPAN}"]\n', SITE + 'mode = "monitor"\n']
)
def test_whom_nothing_bans(toml: str) -> None:
    site = Site(toml if "mode" not in toml else 'mode = "monitor"\n' + SITE)
    svcrack(site)
    assert site.tried == WORDS
    assert site.bans == []


def test_the_inside_is_never_banned() -> None:
    site = Site()
    for word in WORDS:
        site.login("101", word, INSIDE)
    assert site.tried == WORDS
    assert site.bans == []


def test_an_address_seen_on_the_inside_is_never_banned() -> None:
    site = Site()
    site.engine.outside_interfaces = frozenset({7})
    for _ in range(9):
        request = sip("REGISTER", f"sip:{PBX}", {"To": "<sip:5@x>"})
        site.inspect(udp(request, JAPAN, PBX, indev=3))
        site.answer({"CSeq": "1 REGISTER", "Call-ID": str(_)}, "no", JAPAN, 5060)
    assert site.bans == []


def test_answers_from_outside_say_nothing() -> None:
    site = Site(refusal=403)
    site.engine.outside_interfaces = frozenset({7})
    for number in range(9):
        fields: dict[str, str | None] = {"CSeq": "1 REGISTER", "Call-ID": str(number)}
        text = sip(fields=fields).replace(
            b"OPTIONS sip:203.0.113.1 SIP/2.0", b"SIP/2.0 403 No"
        )
        site.inspect(udp(text, "198.51.100.99", JAPAN, indev=7))
    assert site.bans == []


def test_monitoring_says_what_it_would_do() -> None:
    site = Site('[rules.password-guessing]\nmode = "monitor"\n')
    svcrack(site)
    assert site.tried == WORDS
    found = [d.findings[0].ruling for d in site.decisions if d.findings[0].ruling.stops]
    assert [ruling.rule for ruling in found] == ["password-guessing"] * 4
    assert {(r.would, r.ban_s) for r in found} == {(Verdict.DROP, 0)}


def test_the_site_sets_the_threshold() -> None:
    site = Site('[rules.password-guessing]\nover = 8\nwithin = "2m"\n')
    svcrack(site)
    assert site.tried == WORDS[:8]


def test_bans_grow_and_are_forgiven() -> None:
    site = Site()
    lengths = []
    for _ in range(6):
        svcrack(site)
        lengths.append(site.bans[-1][1])
        site.now += lengths[-1] + 1
    assert lengths == [300, 1800, 7200, 43200, 86400, 86400]
    site.now += 2 * 86_400
    svcrack(site)
    assert site.bans[-1][1] == 43_200
    assert site.engine.memory.unban(octets(JAPAN))
    svcrack(site)
    assert site.bans[-1][1] == 300


def test_an_emergency_call_passes_and_its_password_is_counted_all_the_same() -> None:
    site = Site()
    for number, word in enumerate(WORDS[:5]):
        fields: dict[str, str | None] = {
            "Via": f"SIP/2.0/UDP x;branch=z9hG4bKe{number}",
            "Call-ID": str(number),
            "CSeq": "1 INVITE",
            "Authorization": f'Digest username="1", nonce="n", response="{word}"',
        }
        text = sip("INVITE", "sip:119@pbx", fields)
        assert site.inspect(udp(text, JAPAN, PBX)).verdict is Verdict.ACCEPT
        site.answer(fields, word, JAPAN, 5060)
    assert site.bans == [("dst", 300)]


def test_stale_credentials_and_first_challenges_are_no_failures() -> None:
    site = Site()
    for number in range(30):
        site.register("101", None)
        fields: dict[str, str | None] = {
            "Via": f"SIP/2.0/UDP x;branch=z9hG4bKs{number}",
            "CSeq": f"{number} REGISTER",
            "Authorization": f'Digest username="1", nonce="{number}", response="x"',
        }
        site.inspect(udp(sip("REGISTER", "sip:x", fields), JAPAN, PBX))
        stale = {"WWW-Authenticate": 'Digest nonce="z", STALE="TRUE"'}
        text = sip(fields={**fields, **stale}).replace(
            b"OPTIONS sip:203.0.113.1 SIP/2.0", b"SIP/2.0 401 Any"
        )
        site.inspect(udp(text, PBX, JAPAN))
        empty = 'Digest username="1", realm="ims", nonce="", response=""'
        site.answer({**fields, "Authorization": empty}, "-", JAPAN, 5060)
    assert site.bans == []


def test_a_guarded_account_is_for_those_who_registered_it_before() -> None:
    site = Site()
    assert site.login("101", "right", "198.51.100.40") == 200
    for number in range(5):
        site.login("101", "wrong", f"198.51.100.{100 + number}")
    assert site.decisions[-1].findings[0].ruling.rule == "distributed-guessing"
    assert site.login("101", "right", "198.51.100.200") is None
    assert site.login("101", "right", "198.51.100.40") == 200
    assert site.login("102", "right", "198.51.100.200") == 200
    assert site.bans == []
    site.now += 1801
    assert site.login("101", "right", "198.51.100.200") == 200


def test_a_flood_is_stopped_and_an_office_is_none() -> None:
    site = Site(SITE + '[rules.request-flood]\nover = 100\nwithin = "10s"\n')
    for _ in range(60):
        site.now += 1
        for phone in range(9):
            assert site.register(str(phone), None) == 401
    for _ in range(200):
        site.register("1", None)
    assert site.bans == [("src", 300)]


def test_tables_stay_bounded_and_a_message_costs_the_same() -> None:
    site = Site(OPEN)
    judge = site.engine
    sizes: list[dict[str, tuple[int, int]]] = []
    for number in range(3 * MAX_KEYS):
        site.now += 0.001
        src = f"198.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        site.register(f"user{number}", "wrong", src)
        site.decisions.clear()
        if number % MAX_KEYS == MAX_KEYS - 1:
            sizes.append(judge.memory.sizes())
    assert all(held <= most for held, most in sizes[-1].values())
    assert sizes[1] == sizes[2], "full, and no fuller"
    assert judge.memory.attempts.evicted > 0


# What anybody may have forged -------------------------------------------------------

OFFICE, STRANGER = JAPAN, "203.0.113.99"


def forged(site: Site, tries: int = 8, **how: str) -> None:
    """Send credentials in the office's name by somebody who never saw a nonce."""
    for number in range(tries):
        nonce = how.get("nonce", "invented")
        site.register("101", f"forged{number}", OFFICE, nonce=nonce)


def test_nobody_gets_a_known_address_banned_by_forging_it() -> None:
    site = Site(OPEN)
    assert site.login("101", "right", OFFICE) == 200
    forged(site)
    assert site.bans == []
    assert len(site.tried) == 1 + 5, "forged passwords are held back all the same"
    assert site.login("101", "right", OFFICE) == 200, "the phone goes on"
    assert site.login("102", "right", OFFICE) == 200, "its neighbour too"


def test_the_nonce_of_another_address_proves_nothing() -> None:
    site = Site(OPEN)
    assert site.login("101", "right", OFFICE) == 200
    site.now += 4000  # the office's own nonces are forgotten, it is not
    assert site.register("101", None, STRANGER) == 401
    forged(site, nonce=site.nonce)
    assert site.bans == []


def test_a_nonce_that_several_addresses_got_proves_nothing() -> None:
    site = Site(OPEN)
    assert site.login("101", "right", OFFICE) == 200
    assert site.register("101", None, STRANGER) == 401
    mine = site.nonce
    fields = {"CSeq": "1 REGISTER", "WWW-Authenticate": f'Digest nonce="{mine}"'}
    answer = sip("OPTIONS", "sip:x", {**fields, "Contact": None})
    answer = answer.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 401 No", 1)
    site.inspect(udp(answer, PBX, OFFICE))
    forged(site, nonce=mine)
    assert site.bans == []


def test_a_known_address_that_guesses_is_banned_like_any_other() -> None:
    site = Site(OPEN)
    assert site.login("101", "right", OFFICE) == 200
    for number in range(8):
        site.login("102", f"wrong{number}", OFFICE)
    assert site.bans == [("dst", 300)]
    assert len(site.tried) == 1 + 5


def test_an_address_that_nobody_knows_needs_no_proof() -> None:
    site = Site(OPEN)
    forged(site)
    assert site.bans == [("dst", 300)]


@pytest.mark.parametrize(("over_tcp", "bans"), [(False, 0), (True, 1)])
def test_what_a_known_address_is_told_counts_where_it_must_have_asked(
    over_tcp: bool, bans: int
) -> None:
    """Over UDP somebody may have asked for extensions in its name; not over TCP."""
    site = Site(OPEN, refusal=404)
    assert site.login("101", "right", OFFICE) == 200
    sent = 1
    for number in range(5):
        fields = {"From": f"<sip:{number}@x>;tag=1", "To": f"<sip:{number}@x>"}
        fields |= {"Via": f"SIP/2.0/UDP {OFFICE};branch=z9hG4bKx{number}"}
        fields |= {"CSeq": "1 REGISTER", "Call-ID": f"x{number}"}
        answer = sip("OPTIONS", "sip:x", {**fields, "Contact": None})
        answer = answer.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 404 Not Found", 1)
        if over_tcp:
            site.inspect(tcp(answer, sent, src=PBX, dst=OFFICE))
            sent += len(answer)
        else:
            site.inspect(udp(answer, PBX, OFFICE))
    assert len(site.bans) == bans


def test_a_trunk_that_ours_registers_with_is_known() -> None:
    trunk = "203.0.113.200"
    fields: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP {PBX};branch=z9hG4bKours",
        "Call-ID": "ours",
        "CSeq": "2 REGISTER",
        "Authorization": 'Digest username="line", nonce="theirs", response="x"',
    }
    answer = sip("OPTIONS", "sip:x", {**fields, "Authorization": None})
    answer = answer.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 200 OK", 1)

    def bans(answered: bytes) -> int:
        site = Site(OPEN)
        site.inspect(udp(sip("REGISTER", f"sip:{trunk}", fields), PBX, trunk))
        site.inspect(udp(answered, trunk, PBX))
        for number in range(8):
            site.register("101", f"forged{number}", trunk, nonce="invented")
        return len(site.bans)

    assert bans(answer) == 0
    assert bans(answer.replace(b"z9hG4bKours", b"z9hG4bKguess")) == 1
    assert bans(answer.replace(b"200 OK", b"401 No")) == 1


def test_requests_that_count_do_not_for_a_known_address_without_proof() -> None:
    site = Site(OPEN)
    assert site.login("101", "right", OFFICE) == 200
    for prefix in ("9", "00", "011", "9011", "810", "8"):
        invite = sip("INVITE", f"sip:{prefix}4722334455@pbx", {"Call-ID": prefix})
        (finding,) = site.inspect(udp(invite, OFFICE, PBX)).findings
        assert finding.ruling.rule != "dial-plan-guess"
        site.inspect(udp(invite, STRANGER, PBX))
    assert [ban for ban in site.bans if ban] == [("src", 1800)], "the stranger's"
