"""From a captured or queued packet to a UDP datagram or a TCP segment.

Knows link layers, tunnels, IPv4, IPv6, fragments, UDP and TCP headers. Knows nothing
of ports, of SIP or of verdicts. The one thing it remembers is incomplete fragments,
in `FragmentTable`. Bad input raises `Malformed` with a name from `REASONS`, and
nothing else escapes.

Checksums are not verified: network cards fill them in after the capture point, so a
capture of good traffic is full of wrong ones, and the receiver checks them anyway.
"""

from ringfence.decode.decoder import MAX_TUNNELS, Decoder
from ringfence.decode.fragments import FragmentTable
from ringfence.decode.link import LINK_TYPES
from ringfence.decode.reasons import REASONS

__all__ = ["LINK_TYPES", "MAX_TUNNELS", "REASONS", "Decoder", "FragmentTable"]
