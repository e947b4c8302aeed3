"""One packet's way from its first byte to a datagram or a segment.

Knows in which order the layers are tried, and nothing of what is inside them. The
queue delivers IPv4 UDP without options almost always, so that is read in one step.
"""

from struct import Struct

from ringfence.decode import ip, link, transport
from ringfence.decode.fragments import AGE_V4, AGE_V6, FragmentTable
from ringfence.errors import Malformed
from ringfence.packet import LINKTYPE_RAW, Datagram, Instant, Packet, Segment

MAX_TUNNELS = 4
"""Tunnels inside each other. Two is a provider carrying a customer's tunnel."""

# Total length, flags and offset, protocol, source, destination; UDP ports and length.
_IPV4_UDP = Struct(">xxHxxHxBxx4s4sHHH").unpack_from


class Decoder:
    """Turns packets into datagrams and segments.

    `fragments4` and `fragments6` hold what is incomplete, and count what they gave up.
    """

    __slots__ = ("fragments4", "fragments6")

    def __init__(self) -> None:
        """Start with no fragments of either version."""
        self.fragments4 = FragmentTable(AGE_V4)
        self.fragments6 = FragmentTable(AGE_V6)

    def decode(self, packet: Packet, now: Instant) -> Datagram | Segment | None:
        """Return what the packet carries, or None if that is nothing for us.

        None: neither UDP nor TCP (ARP, ICMP, an ICMP error that quotes an INVITE,
        ESP, ...), a link type not in `LINK_TYPES`, or fragments still incomplete. The
        fragment that completes a datagram yields it. Raises only `Malformed`, with a
        name from `REASONS`. `now.mono` ages the fragments.
        """
        data, link_type, length, _ = packet
        if link_type == LINKTYPE_RAW and len(data) >= 28 and data[0] == 0x45:
            total, flags, protocol, src, dst, sport, dport, size = _IPV4_UDP(data)
            if (
                protocol == ip.UDP
                and total == len(data)
                and size == total - 20
                and not flags & 0x3FFF
            ):
                return Datagram(src, dst, sport, dport, data[28:], False)
        ethertype, offset = link.network(link_type, data)
        return self._network(ethertype, data, offset, length > len(data), now, 0)

    def _network(
        self,
        ethertype: int,
        data: bytes,
        offset: int,
        cut: bool,
        now: Instant,
        depth: int,
    ) -> Datagram | Segment | None:
        if ethertype == link.ETHERTYPE_IPV4:
            src, dst, protocol, start, end, cut, fragment = ip.v4(data, offset, cut)
            table = self.fragments4
        elif ethertype == link.ETHERTYPE_IPV6:
            src, dst, protocol, start, end, cut, fragment = ip.v6(data, offset, cut)
            table = self.fragments6
        else:
            return None
        if fragment is not None:
            if table is self.fragments4 and protocol not in ip.CARRIERS:
                return None
            whole = table.add(fragment, now.mono)
            if whole is None:
                return None
            protocol, data, cut = whole
            start = 0
            end = len(data)
            if table is self.fragments6:
                protocol, start, again = ip.extensions(data, protocol, 0, end)
                if again is not None:
                    raise Malformed("ip.fragment-nested")
        if protocol == ip.UDP:
            return transport.udp(src, dst, data, start, end, cut)
        if protocol == ip.TCP:
            return transport.tcp(src, dst, data, start, end, cut)
        if protocol in ip.CARRIERS:
            return self._tunnel(protocol, data[start:end], cut, now, depth + 1)
        return None

    def _tunnel(
        self, protocol: int, data: bytes, cut: bool, now: Instant, depth: int
    ) -> Datagram | Segment | None:
        """Decode the packet inside a packet."""
        if depth > MAX_TUNNELS:
            raise Malformed("ip.nesting")
        ethertype, offset = link.ETHERTYPE_NONE, 0
        if protocol == ip.IPIP:
            ethertype = link.ETHERTYPE_IPV4
        elif protocol == ip.IPV6_IN_IP:
            ethertype = link.ETHERTYPE_IPV6
        else:
            ethertype, offset = link.gre(data, 0, len(data))
            if ethertype == link.ETHERTYPE_BRIDGED:
                data = data[offset:]
                ethertype, offset = link.network(link.ETHERNET, data)
            else:
                ethertype, offset = link.untag(ethertype, data, offset)
        return self._network(ethertype, data, offset, cut, now, depth)
