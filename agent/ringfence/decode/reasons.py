"""Every name that decoding can give to bad input, with its meaning for a reader.

The documentation is generated from this table and the tests hold it complete: each
name here is raised by at least one test packet, and no other name is ever raised.
"""

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "link.short": "The frame ends inside its link-layer header or a tag.",
        "link.nesting": "More VLAN tags and PPP headers in a row than any network has.",
        "pppoe.version": "A PPPoE session frame that is not version 1, type 1, code 0.",
        "ip.short": "The packet ends inside its IP header.",
        "ip.version": "The version field is not 4 or 6, or not what was announced.",
        "ip.header-length": "The IPv4 header claims less than its own 20 bytes.",
        "ip.total-length": "The IPv4 total length is smaller than the header.",
        "ip.nesting": "More tunnels inside each other than any network has.",
        "ip.fragment-overlap": "Two fragments of one datagram claim the same bytes.",
        "ip.fragment-end": "Fragments of one datagram disagree on where it ends.",
        "ip.fragment-empty": "A fragment that carries nothing.",
        "ip.fragment-length": "A middle IPv6 fragment is not a multiple of 8 bytes.",
        "ip.fragment-size": "The fragments add up to more than an IP packet can hold.",
        "ip.fragment-nested": "A reassembled IPv6 packet is a fragment again.",
        "ip6.extension": "An IPv6 extension header runs past the end of the packet.",
        "ip6.first-fragment": "A first IPv6 fragment without all of its UDP or TCP header.",
        "gre.short": "The packet ends inside its GRE header.",
        "gre.flags": "A GRE header with routing, or PPTP's without its key.",
        "gre.version": "A GRE version that does not exist.",
        "udp.short": "The packet ends inside its UDP header.",
        "udp.length": "The UDP length is below 8, or beyond the end of the packet.",
        "tcp.short": "The packet ends inside its TCP header.",
        "tcp.offset": "The TCP data offset is below 20 bytes, or beyond the packet.",
    }
)
"""Name → meaning, from the link layer up. The names are stable: logs carry them."""
