"""Who is who in the lab.

    outside 203.0.113.254 --- .1 router 192.168.50.1 --- .10, .20 inside

The outside stands for the rest of the world: a Japanese phone network, the carrier's
trunk and a network abroad, all behind the router's WAN interface. Documentation
addresses have no country; `COUNTRIES` gives them one.
"""

from collections.abc import Mapping
from typing import Final

SIP_PORT: Final = 5060

# Outside.
GATEWAY: Final = "203.0.113.254"
PHONE_JP: Final = "198.51.100.10"
TRUNK: Final = "198.51.100.50"
SCANNER_JP: Final = "198.51.100.66"
PHONE_ABROAD: Final = "192.0.2.10"
SCANNER_ABROAD: Final = "192.0.2.66"
GATEWAY6: Final = "2001:db8::fe"
PHONE_JP6: Final = "2001:db8:81::10"
TRUNK6: Final = "2001:db8:81::50"
PHONE_ABROAD6: Final = "2001:db8:31::10"
# The router.
WAN: Final = "203.0.113.1"
WAN6: Final = "2001:db8::1"
LAN: Final = "192.168.50.1"
LAN6: Final = "2001:db8:50::1"
# Inside.
PBX: Final = "192.168.50.10"
PHONE_INSIDE: Final = "192.168.50.20"
PBX6: Final = "2001:db8:50::10"
PHONE_INSIDE6: Final = "2001:db8:50::20"

COUNTRIES: Final[Mapping[str, str]] = {
    "198.51.100.0/24": "JP",
    "203.0.113.0/24": "JP",
    "192.0.2.0/24": "NL",
    "2001:db8:81::/48": "JP",
    "2001:db8:50::/48": "JP",
    "2001:db8::/48": "JP",
    "2001:db8:31::/48": "NL",
    # Benchmark addresses (RFC 2544): room for ten thousand sources.
    "198.18.0.0/16": "NL",
    "198.19.0.0/16": "JP",
}
