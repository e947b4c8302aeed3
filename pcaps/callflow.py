"""How a call passes the router: its legs between PBX, trunk and telephones outside.

Telephones inside are not seen: they talk to the PBX on their own network. Knows the
ends of one call; it must not know how often calls happen.
"""

from call import LINE, OFFICE_REALM, PBX, TRUNK, UNANSWERED, Call
from chance import Chance
from dialogs import Agent, Dialog, Timed
from script import REFUSED, Script, Times

_PBX_S = 0.004
"""Seconds that the PBX takes to pass something on."""


def messages(call: Call) -> list[Timed]:
    """Write all packets of a call, on all its legs, in no order."""
    chance = Chance("call", call.call_id)
    between_networks = _trunk_leg(call, chance)
    if call.outer is None:
        return between_networks
    return between_networks + _outer_leg(call, call.outer, chance)


def refusal(call: Call) -> list[Timed]:
    """Write what a telephone outside gets to hear if its call is refused at the trunk.

    Empty for calls whose caller the router does not see.
    """
    if call.direction == "in" or call.outer is None:
        return []
    chance = Chance("call", call.call_id)
    _trunk_leg(call, chance)
    times = Times(call.begin - _PBX_S, None, call.begin + 0.05)
    refused = call._replace(outcome=REFUSED)
    return [
        (when, packet)
        for when, packet in Script(
            refused, times, _outer_dialog(call, call.outer, chance), chance, outer=True
        ).written()
        if when > call.begin
    ]


def _trunk_leg(call: Call, chance: Chance) -> list[Timed]:
    out = call.direction == "out"
    host = LINE.realm
    if out:
        caller, called = PBX, TRUNK
        from_ = f"<sip:{LINE.user}@{host}>"
        uri = f"sip:{call.dialled}@{host}"
        to = f"<{uri}>"
        contacts = LINE.user, call.dialled
    else:
        caller, called = TRUNK, PBX
        user = call.number if call.country != "JP" else f"0{call.number[3:]}"
        from_ = (
            f"<sip:{user}@{host};user=phone>"
            if user
            else '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323
        )
        uri = f"sip:{LINE.user}@{PBX.host}:{PBX.host_port}"
        to = f"<sip:{LINE.user}@{host}>"
        contacts = user or "anonymous", LINE.user
    dialog = Dialog(
        caller,
        called,
        uri=uri,
        from_=from_,
        to=to,
        call_id=call.call_id,
        contacts=contacts,
        chance=chance,
    )
    times = Times(call.begin, call.answered, call.ended)
    return Script(call, times, dialog, chance).written()


def _outer_dialog(call: Call, phone: Agent, chance: Chance) -> Dialog:
    account = f"<sip:{call.who}@{OFFICE_REALM}>"
    if call.direction == "out":
        uri = f"sip:{call.dialled}@{OFFICE_REALM}"
        caller, called, from_, to = phone, PBX, account, f"<{uri}>"
        contacts = call.who, call.dialled
    else:
        uri = f"sip:{call.who}@{phone.host}:{phone.host_port}"
        other = call.number or "anonymous"
        caller, called, from_, to = PBX, phone, f"<sip:{other}@{PBX.host}>", account
        contacts = other, call.who
    return Dialog(
        caller,
        called,
        uri=uri,
        from_=from_,
        to=to,
        call_id=f"{chance.hex(24)}@{caller.host}",
        contacts=contacts,
        chance=chance,
    )


def _outer_leg(call: Call, phone: Agent, chance: Chance) -> list[Timed]:
    """Write the leg between the PBX and a telephone outside."""
    dialog = _outer_dialog(call, phone, chance)
    # Whose turn it is comes first at the far end of the office, so that each message
    # passes the router before what the PBX makes of it.
    ours = (call.direction == "out") == (call.ended_by == "caller")
    lag = -_PBX_S if ours else _PBX_S
    answer = _PBX_S if call.direction == "out" else -_PBX_S
    begin = call.begin - _PBX_S if call.direction == "out" else call.begin + _PBX_S
    answered = None if call.answered is None else call.answered + answer
    times = Times(begin, answered, call.ended + lag)
    if call.rings_only:
        stopped = call.ended if call.answered is None else call.answered
        times = Times(begin, None, stopped + _PBX_S)
        call = call._replace(outcome=UNANSWERED)
    return Script(call, times, dialog, chance, outer=True).written()
