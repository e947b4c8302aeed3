"""Every name that reading SIP can give to bad input, with its meaning for a person.

The documentation is generated from these tables and the tests hold them complete:
each name is met by at least one test message, and no other is ever given.
"""

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "sip.start-line": "It goes to a SIP port as SIP, but its first line is none.",
        "sip.method": "The method holds characters that no method may have.",
        "sip.request-uri": "A request that names nobody it is for.",
    }
)
"""Of `Malformed`: what cannot be read at all. The names are stable: logs carry them."""

ANOMALIES: Mapping[str, str] = MappingProxyType(
    {
        "sip.version": "The start-line says another version than SIP/2.0.",
        "sip.start-line-too-long": "The start-line is longer than any honest one.",
        "sip.head-too-long": "The header fields go on beyond what we read.",
        "sip.no-blank-line": "No blank line ends the header fields.",
        "sip.lone-cr": "Lines end with CR alone, which only some receivers accept.",
        "sip.too-many-lines": "More header field lines than we read.",
        "sip.too-many-values": "A list field with more values than any honest one.",
        "sip.repeated-field": "Two different From, To, Call-ID, CSeq or lengths.",
        "sip.content-length": "A length that is no number, or more than there is.",
        "sip.stray-bytes": "Other bytes came before it in the same stream.",
    }
)
"""Of `Message.anomaly`: flaws of a message that was read all the same."""
