"""Captures for `blocked-destination`: calls forwarded, transferred, sent on.

Builds on `generate.py`; run that.
"""

from collections.abc import Iterator

from generate import JAPAN, PBX, PHONE, TRUNK, Case, Fields, Frames, phone, tcp, udp

LISTED = "sip:01023276123456@itsp.example.jp"
HOME = "sip:0312345678@itsp.example.jp"
MOBILE = "sip:09012345678@itsp.example.jp"
ITSP = "sip:itsp.example.jp"
OFFICE = f"sip:201@{PBX}"
PARTNER = f"sip:+23276123456@{TRUNK}"
"""Somebody in a listed country who calls here, or is forwarded to here."""


def call(uri: str, fields: Fields, src: str = PHONE) -> Frames:
    """Send an INVITE with other fields than a phone's own."""
    return udp(phone("INVITE", uri, src, fields), src)


def refer(to: str | None, src: str = PHONE, name: str = "Refer-To") -> Frames:
    """Ask the other party of a call, or the PBX, to call somebody else."""
    fields: Fields = {name: to, "Referred-By": f"<{OFFICE}>"}
    return udp(phone("REFER", OFFICE, src, fields), src)


def redirect(*contacts: str, src: str = PHONE, status: str = "302 Moved") -> Frames:
    """Answer a call that comes in from the trunk, or one of ours, with other places."""
    fields: Fields = {"Contact": ", ".join(contacts)}
    text = phone("INVITE", OFFICE, TRUNK, fields)
    text = text.replace(
        b"To: " + f"<{OFFICE}>".encode(), f"To: <{OFFICE}>;tag=7".encode()
    )
    _, _, rest = text.partition(b"\r\n")
    return udp(
        f"SIP/2.0 {status}\r\n".encode() + rest, src, TRUNK if src == PHONE else ""
    )


def forwarded() -> Iterator[Case]:
    """Calls that are forwarded or transferred, to where they may go and not."""
    yield (
        "hit-refer",
        [
            *refer(f"<{LISTED}>"),
            *refer(f"Sales <{LISTED}>;x=1"),
            *refer(LISTED),
            *refer("<tel:+232-76-123456>"),
            *refer(f"<{LISTED};method=INVITE>"),
            *refer(f"<{LISTED};method=BYE>"),
            *refer(f"<{LISTED}>", name="r"),
        ],
    )
    yield "hit-refer-from-outside", refer(f"<{LISTED}>", JAPAN)
    yield (
        "hit-refer-with-replaces",
        refer(f"<{LISTED}?Replaces=12345%40{PHONE}%3Bto-tag%3D1%3Bfrom-tag%3D2>"),
    )
    yield "hit-refer-to-two", refer(f"<{HOME}>, <{LISTED}>")
    yield "hit-refer-twice", refer(f"<{HOME}>\r\nRefer-To: <{LISTED}>")
    yield "hit-302", redirect(f"<{LISTED}>")
    yield "hit-302-from-outside", redirect(f"<{LISTED}>", src=TRUNK)
    yield (
        "hit-301-tcp",
        tcp(
            redirect(f"<{LISTED}>", status="301 Moved Permanently")[0][42:],
            PHONE,
            TRUNK,
        ),
    )
    yield (
        "hit-300-second-contact",
        redirect(f"<{OFFICE}>;q=0.9", f"<{LISTED}>;q=0.1", status="300 Choices"),
    )
    yield "hit-302-emergency-number-beside", redirect("<sip:119@x>", f"<{LISTED}>")
    yield "hit-to", call(ITSP, {"To": f"<{LISTED}>"})
    yield "hit-to-of-a-call-abroad", call("+12125551234", {"To": f"<{LISTED}>"})
    yield (
        "hit-history-info",
        call(
            f"sip:trunk@{TRUNK}",
            {
                "To": f"<{OFFICE}>",
                "History-Info": f"<{LISTED}>;index=1, <{ITSP}>;index=1.1;mp=1",
            },
        ),
    )
    yield (
        "hit-diversion-of-a-call-abroad",
        call("tel:+12125551234", {"To": f"<{HOME}>", "Diversion": f"<{PARTNER}>"}),
    )

    attended = f"?Replaces=98765%40{PBX}%3Bto-tag%3D3%3Bfrom-tag%3D4&Require=replaces"
    yield (
        "near-miss-refer",
        [
            *refer(f"<sip:202@{PBX}{attended}>"),
            *refer(f"<{HOME}{attended}>", JAPAN),
            *refer(f"<{MOBILE}>"),
            *refer("<tel:+81-90-1234-5678>"),
            *refer(f"<sip:+12125551234@{TRUNK}>"),
            *refer(f"<{HOME};method=BYE>"),
            *refer("<http://www.example.com/23276123456>"),
            *refer(None),
        ],
    )
    yield (
        "near-miss-refer-by-somebody-in-a-listed-country",
        udp(
            phone(
                "REFER", PARTNER, PHONE, {"To": f"<{PARTNER}>", "Refer-To": f"<{HOME}>"}
            ),
            PHONE,
        ),
    )
    yield (
        "near-miss-refer-emergency",
        [*refer("<sip:119@x>"), *refer("<urn:service:sos>")],
    )
    yield "near-miss-302-domestic-mobile", redirect(f"<{MOBILE}>;q=1")
    yield "near-miss-302-extension", redirect(f"<sip:202@{PBX}>, <sip:voicemail@{PBX}>")
    yield (
        "near-miss-302-from-a-listed-country",
        [
            udp(
                frame[42:].replace(b"From: <sip:201@", b"From: <sip:+23276123456@"),
                PHONE,
            )[0]
            for frame in redirect(f"<{MOBILE}>")
        ],
    )
    yield (
        "near-miss-380-emergency",
        redirect("<urn:service:sos>", src=TRUNK, status="380 Alternative Service"),
    )
    yield (
        "near-miss-answers-that-redirect-nothing",
        [
            *redirect(f"<{PARTNER}>", status="200 OK", src=TRUNK),
            *redirect(f"<{PARTNER}>", status="180 Ringing", src=TRUNK),
            *redirect(f"<{PARTNER}>", status="485 Ambiguous", src=TRUNK),
            udp(
                redirect(f"<{LISTED}>")[0][42:].replace(b"1 INVITE", b"1 REGISTER"),
                PHONE,
            )[0],
        ],
    )
    # How a call came to us, kept by whoever passes it on: it says nothing bad of us.
    came: Fields = {
        "To": f"<{PARTNER}>",
        "Diversion": f"<{PARTNER}>;reason=unconditional",
        "History-Info": f"<{PARTNER}>;index=1, <{PARTNER}>;index=1.1",
    }
    yield "near-miss-forwarded-to-us", call(OFFICE, came, TRUNK)
    yield "near-miss-forwarded-to-our-account", call(f"sip:line1@{PBX}", came, TRUNK)
    yield (
        "near-miss-forwarded-on-to-a-mobile",
        [*call(MOBILE, came), *call(f"sip:202@{JAPAN}", came)],
    )
    yield (
        "near-miss-forwarded-on-to-a-softphone",
        call(
            f"sip:k2v9qd@{JAPAN}:40006;transport=udp",
            {
                "To": f"<{OFFICE}>",
                "Diversion": f"<{PARTNER}>",
                "History-Info": f"<{PARTNER}?Reason=SIP%3Bcause%3D302>;index=1, "
                f"<{OFFICE}>;index=1.1",
            },
        ),
    )
    yield (
        "near-miss-call-put-on-hold",
        call(f"sip:sbc@{TRUNK}", {"To": f"<{PARTNER}>;tag=remote"}),
    )
    yield "near-miss-emergency-whatever-else", call("119", came)
