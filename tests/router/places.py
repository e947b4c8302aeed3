"""Who is who around the router in the box, and how they are wired.

    outside 203.0.113.254 --- wan0 .1 router 192.168.50.1 lan0 --- .10, .20 inside

The router is the guest's own network namespace, what is around it are two others. The
machine has no network card: whatever the addresses, no packet leaves it. Those of the
phones outside are Japanese, since the package's own country table judges them.
"""

from typing import Final

OUTSIDE, INSIDE = "outside", "inside"

GATEWAY: Final = "203.0.113.254"
PHONE_JP: Final = "133.192.0.10"
CALLER_JP: Final = "133.192.0.11"
TRUNK: Final = "133.192.0.50"
GUESSER_JP: Final = "133.192.0.66"
ABROAD: Final = "192.0.2.66"
"""A documentation address: of no country, so not from home."""
WAN: Final = "203.0.113.1"
LAN: Final = "192.168.50.1"
PBX: Final = "192.168.50.10"
PHONE: Final = "192.168.50.20"

SECOND_PORT: Final = 5070
"""Of SIP, besides 5060, once the configuration has been edited."""
INCLUDES: Final = "/test/ruleset-post"
"""Where the router has what OpenWrt's package puts into fw4's folder of that name."""

BLOCKED: Final = "010232761234567"
"""A call to Sierra Leone, which the fraud list has."""
ORDINARY: Final = "0312345678"
EMERGENCY: Final = "119"

LINKS: Final = f"""\
netns add {OUTSIDE}
netns add {INSIDE}
link add wan0 type veth peer name eth0 netns {OUTSIDE}
link add lan0 type veth peer name eth0 netns {INSIDE}
address add {WAN}/24 dev wan0
address add {LAN}/24 dev lan0
link set wan0 up
link set lan0 up
route add default via {GATEWAY}
"""
AROUND: Final = {
    OUTSIDE: "".join(
        f"address add {address}/{32 if address != GATEWAY else 24} dev eth0\n"
        for address in (GATEWAY, PHONE_JP, CALLER_JP, TRUNK, GUESSER_JP, ABROAD)
    )
    + f"link set lo up\nlink set eth0 up\nroute add 192.168.50.0/24 via {WAN}\n",
    INSIDE: f"address add {PBX}/24 dev eth0\naddress add {PHONE}/24 dev eth0\n"
    f"link set lo up\nlink set eth0 up\nroute add default via {LAN}\n",
}
"""Lines for `ip -batch`: in the router, and in the namespaces around it."""
