"""Capture files in, packets out: pcap and pcapng, plain or gzip-compressed.

Knows file formats, nothing of what is in a packet. Never trusts a length in a file:
each is bounded before memory is taken for it, and whatever is wrong with a file ends
in one `CaptureError` that says where and what was expected.

Both formats are read here, and not by dpkt, whose readers lose what replay needs:
neither yields the wire length (so nobody can tell that a packet was cut), and a
truncated last record comes out as if it were whole. Its pcapng reader also gives
every packet the first interface's resolution and nobody its link type, loses its way
at a section in the other byte order, passes over Simple Packet Blocks, and raises
UnicodeDecodeError on a comment that is not UTF-8. The tests read what it writes.
"""

from ringfence.pcap.capture import Capture, Frame, open_capture

__all__ = ["Capture", "Frame", "open_capture"]
