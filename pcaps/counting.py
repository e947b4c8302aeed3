"""Cases of the rules that count: what one message alone does not tell.

Written like the others by `generate.py`, which imports this. Each case is a talk
between a client and the PBX: requests, and the answers that tell how they went.
"""

from collections.abc import Iterator

from generate import (
    JAPAN,
    JAPAN6,
    PBX,
    PHONE,
    STRANGER_IN_JAPAN,
    Case,
    Fields,
    Frames,
    message,
    phone,
    udp,
)

NONCE = "5f1c0a9e7d3b2468"


def talk(
    number: int,
    status: int | None,
    *,
    src: str = STRANGER_IN_JAPAN,
    user: str = "201",
    password: str | None = None,
    method: str = "REGISTER",
    uri: str = f"sip:{PBX}",
    sport: int = 5060,
    challenge: str = "",
    same: bool = False,
) -> Frames:
    """Send one request and its answer; status None: no answer comes.

    `number` makes it a transaction of its own, unless all are to look the `same`.
    """
    host = f"[{src}]" if ":" in src else src
    name = "same" if same else f"{number}"
    fields: Fields = {
        "Via": f"SIP/2.0/UDP {host}:{sport};branch=z9hG4bKtalk{number}{user};rport",
        "Call-ID": f"talk{name}{user}@{host}",
        "CSeq": f"{1 if same else number} {method}",
    }
    if method != "REGISTER":
        fields["To"] = f"<{uri}>"
    if password is not None:
        fields["Authorization"] = (
            f'Digest username="{user}", realm="pbx", nonce="{NONCE}", '
            f'uri="{uri}", response="{password.encode().hex():0<32}"'
        )
    frames = udp(phone(method, uri, src, fields, user), src, sport=sport)
    if status is not None:
        head: Fields = {
            **{name: fields[name] for name in ("Via", "Call-ID", "CSeq")},
            "From": f"<sip:{user}@{PBX}>;tag=a",
            "To": f"{fields.get('To') or f'<sip:{user}@{PBX}>'};tag=b",
        }
        if status in (401, 407):
            field = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
            head[field] = f'Digest realm="pbx", nonce="{NONCE}"{challenge}'
        head["Content-Length"] = "0"
        pbx = "2001:db8:50::1" if ":" in src else PBX
        answer = message(f"SIP/2.0 {status} Answer", head)
        frames = frames + udp(answer, pbx, src)
    return frames


def talks(*parts: Frames) -> Frames:
    """Put talks one after the other."""
    return [frame for part in parts for frame in part]


def password_guessing() -> Iterator[Case]:
    """Passwords tried by tools and mistyped by people."""

    def guesses(count: int, status: int | None = 401) -> Frames:
        return talks(
            *(talk(at, status, password=f"word{at}") for at in range(1, count + 1))
        )

    for status in (401, 403, 407):
        yield f"hit-answered-{status}", guesses(7, status)
    yield "hit-without-waiting", guesses(7, None)
    yield (
        "hit-another-port-for-each-try",
        talks(
            *(
                talk(at, 401, password=f"word{at}", sport=20_000 + at, same=True)
                for at in range(7)
            )
        ),
    )
    yield (
        "hit-another-ipv6-address-for-each-try",
        talks(
            *(
                talk(at, 401, password=f"word{at}", src=f"2001:db8:81::{at + 1:x}")
                for at in range(7)
            )
        ),
    )
    yield (
        "near-miss-mistyped",
        talks(
            *(
                part
                for at in range(10, 40, 10)
                for part in (
                    guesses(4),
                    talk(at, 200, password="right"),  # noqa: S106 - a made-up one
                )
            )
        ),
    )
    yield "near-miss-challenges", talks(*(talk(at, 401) for at in range(20)))
    yield (
        "near-miss-outdated-nonces",
        talks(
            *(
                talk(at, 401, password=f"word{at}", challenge=", stale=true")
                for at in range(20)
            )
        ),
    )
    once = talk(1, 401, password="wrong")  # noqa: S106 - a made-up one
    yield "near-miss-retransmissions", talks(*([once] * 20))
    yield (
        "near-miss-inside",
        talks(*(talk(at, 401, password=f"word{at}", src=PHONE) for at in range(20))),
    )
    yield (
        "near-miss-many-phones-behind-one-address",
        talks(
            *(talk(1, 401, user=f"{user}", src=JAPAN) for user in range(200, 230)),
            *(
                talk(2, 200, user=f"{user}", src=JAPAN, password="right")  # noqa: S106
                for user in range(200, 230)
            ),
        ),
    )


def extension_enumeration() -> Iterator[Case]:
    """Extensions that do not exist, asked for by tools and by the forgetful."""
    users = [str(user) for user in range(300, 307)]
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        yield (
            f"hit-{method.lower()}",
            talks(*(talk(1, 404, user=user, method=method) for user in users)),
        )
    yield "hit-ipv6", talks(*(talk(1, 404, user=user, src=JAPAN6) for user in users))
    yield (
        "near-miss-four",
        talks(*(talk(1, 404, user=user) for user in users[:4])),
    )
    yield (
        "near-miss-one-caller-misdials",
        talks(*(talk(at, 404, method="INVITE") for at in range(10))),
    )
    yield (
        "near-miss-no-voice-mail",
        talks(*(talk(1, 404, user=user, method="SUBSCRIBE") for user in users)),
    )


def extension_sweep() -> Iterator[Case]:
    """OPTIONS for one extension after another."""

    def asked(count: int) -> Frames:
        return talks(
            *(
                talk(at, 200, method="OPTIONS", uri=f"sip:{300 + at}@{PBX}")
                for at in range(count)
            )
        )

    yield "hit-eleven", asked(12)
    yield "near-miss-ten", asked(10)
    yield (
        "near-miss-keep-alive",
        talks(*(talk(at, 200, method="OPTIONS") for at in range(20))),
    )


def distributed_guessing() -> Iterator[Case]:
    """One account, tried from many addresses."""

    def sources(count: int) -> Frames:
        return talks(
            *(
                talk(1, 401, password="word", src=f"198.51.100.{100 + at}")  # noqa: S106
                for at in range(count)
            )
        )

    known = talk(1, 200, password="right", src=JAPAN)  # noqa: S106
    again = talk(2, 200, password="right", src=JAPAN)  # noqa: S106
    yield "hit-seven-addresses", talks(known, sources(7), again)
    yield "near-miss-four-addresses", talks(known, sources(4), again)


def request_flood() -> Iterator[Case]:
    """More requests than an office sends; the cases' site allows 100 in ten seconds."""
    yield "hit-register", talks(*(talk(at, None) for at in range(110)))
    yield (
        "hit-invite",
        talks(
            *(
                talk(at, None, method="INVITE", uri=f"sip:202@{PBX}")
                for at in range(110)
            )
        ),
    )
    yield "near-miss-hundred", talks(*(talk(at, None) for at in range(100)))
    yield (
        "near-miss-other-methods",
        talks(*(talk(at, None, method="SUBSCRIBE") for at in range(110))),
    )


def dial_plan_guess() -> Iterator[Case]:
    """One number behind many prefixes."""

    def dialled(*numbers: str) -> Frames:
        return talks(
            *(
                talk(at, 403, method="INVITE", uri=f"sip:{number}@{PBX}")
                for at, number in enumerate(numbers)
            )
        )

    ways = "0312345678", "90312345678", "1840312345678", "00312345678"
    yield "hit-four-ways", dialled(*ways)
    yield "near-miss-three-ways", dialled(*ways[:3], *ways[:3])
    yield (
        "near-miss-four-numbers",
        dialled("0312345678", "0312345679", "0312345670", "0612345671"),
    )


def host_sweep() -> Iterator[Case]:
    """One caller, many hosts."""

    def calls(number: str, *hosts: str, user: str = "200") -> Frames:
        frames: Frames = []
        for at, host in enumerate(hosts):
            fields: Fields = {
                "Via": f"SIP/2.0/UDP {STRANGER_IN_JAPAN}:5060;branch=z9hG4bKh{at}",
                "Call-ID": f"host{at}",
            }
            request = phone(
                "INVITE", f"sip:{number}@{host}", STRANGER_IN_JAPAN, fields, user
            )
            frames += udp(request, STRANGER_IN_JAPAN, host)
        return frames

    hosts = [f"203.0.113.{last}" for last in (1, 2, 3, 4)]
    yield "hit-three-hosts", calls("0014472233445", *hosts)
    yield "near-miss-two-hosts", calls("0014472233445", *hosts[:2], *hosts[:2])
    yield "near-miss-calls-at-home", calls("0312345678", *hosts)
    yield (
        "near-miss-another-caller-each",
        talks(
            *(
                calls("0014472233445", host, user=f"20{at}")
                for at, host in enumerate(hosts)
            )
        ),
    )


RULES = {
    "dial-plan-guess": dial_plan_guess,
    "distributed-guessing": distributed_guessing,
    "extension-enumeration": extension_enumeration,
    "extension-sweep": extension_sweep,
    "host-sweep": host_sweep,
    "password-guessing": password_guessing,
    "request-flood": request_flood,
}
