"""English words; see `explanation` for what stands in the braces."""

from typing import Final

WORDS: Final[dict[str, str]] = {
    # How a list of words is written, and a name with what belongs to it.
    "list": ", ",
    "join": ", ",
    "named": "{what} ({name})",
    "sentence": "; ",
    # Headline.
    "head": "{input}: {verdict}",
    "verdict.accept": "accept",
    "verdict.reject": "reject",
    "verdict.drop": "drop",
    "verdict.would.reject": "accept (monitor only; would reject)",
    "verdict.would.drop": "accept (monitor only; would drop)",
    # Lines of an explanation.
    "line.number": "  Number:     {text}",
    "line.address": "  Address:    {text}",
    "line.read": "  Read as:    {text}",
    "line.other": "  Other way:  {text}",
    "line.by": "  Decided by: {text}",
    "line.why": "  Because:    {text}",
    "line.limit": "  Threshold:  {text}",
    "line.change": "  To change:  {text}",
    # Classes.
    "class.emergency": "emergency number",
    "class.special": "special number",
    "class.domestic": "number in this country",
    "class.extension": "extension or short number",
    "class.international": "international call",
    "class.unassigned": "country code that nobody has",
    "class.non-numeric": "name, no telephone number",
    # Finer classes.
    "detail.emergency": "emergency number",
    "detail.special_1xy": "service number 1XY",
    "detail.special_1xx": "service number 1XX",
    "detail.special_hash": "service number with #",
    "detail.special_n11": "service number N11",
    "detail.special_116": "European helpline 116",
    "detail.special_ambulance": "ambulance transport",
    "detail.special_crisis": "crisis line",
    "detail.special_public": "public service",
    "detail.special_relay": "relay for the deaf",
    "detail.special_sms": "text messages",
    "detail.special_test": "test number",
    "detail.special_310": "service number 310",
    "detail.special_directory": "directory enquiries",
    "detail.special_operator": "operator",
    "detail.special_service": "service number",
    "detail.special_short": "short code",
    "detail.domestic_fixed": "fixed line",
    "detail.domestic_mobile": "mobile phone",
    "detail.domestic_fixed_or_mobile": "fixed line or mobile phone",
    "detail.domestic_voip": "IP phone",
    "detail.domestic_m2m": "machines and data",
    "detail.domestic_fmc": "one number for fixed and mobile",
    "detail.domestic_special": "specified connection",
    "detail.domestic_tollfree": "toll-free",
    "detail.domestic_navi": "nationwide rate",
    "detail.domestic_info": "message boxes, telephone events",
    "detail.domestic_premium": "premium rate",
    "detail.domestic_service": "a carrier's own line",
    "detail.domestic_shared_cost": "shared cost",
    "detail.domestic_personal": "personal number",
    "detail.domestic_pager": "pager",
    "detail.domestic_uan": "one number for a whole company",
    "detail.domestic_nongeographic": "number without a place",
    "detail.domestic_overseas": "territory overseas, charged as at home",
    "detail.domestic_local": "local number without area code",
    "detail.domestic_unknown": "in no range of the dial plan",
    "detail.international": "international",
    "detail.international_foreign_idd": "as a line set up for another country reads it",
    "detail.international_bare": "international number without a prefix",
    "detail.international_junk_prefix": "international prefix behind other digits",
    "detail.international_spare": "leads to nobody",
    "detail.overlong": "longer than any number",
    "detail.extension_or_short": "extension or short number",
    "detail.private_number": "only the PBX knows what it means",
    "detail.feature_code": "feature code of the PBX",
    "detail.non_numeric": "the PBX knows where it leads",
    # Steps of a reading.
    "step.+": "+ international form",
    "step.caller id": "{digits} caller ID setting",
    "step.caller id 184": "184 caller ID withheld",
    "step.caller id 186": "186 caller ID shown",
    "step.override": "{digits} fixed choice of carrier lifted",
    "step.adapter": "{digits} this call by the old line",
    "step.operator": "{digits} by the operator",
    "step.operator abroad": "{digits} abroad by the operator",
    "step.text relay": "{digits} text relay",
    "step.Malaysia": "{digits} Malaysia by its short prefix",
    "step.carrier": "{digits} carrier selection",
    "step.idd": "{digits} international prefix",
    "step.foreign idd": "{digits} international prefix of another country",
    "step.outside line": "{digits} outside line",
    "step.home": "{digits} this country's code",
    "step.extra zeros": "zeros too many left out",
    "step.code": "{digits} feature code",
    "step.context": "{digits} from phone-context",
    "step.rn": "routing number (rn)",
    "step.junk": "{digits} digits without meaning",
    # Why another reading does not count.
    "other": "{read}: {why}",
    "lost.home": "does not count, as a valid number at home is never stopped for it",
    "lost.exempt": "does not count, as this number always passes",
    "lost.listed": "possible too; of several the listed one counts",
    "lost.equal": "possible too, and no more listed",
    # On whose word.
    "by.emergency": "built in: emergency calls always pass, no setting changes that",
    "by.special": "built in: special numbers always pass from inside",
    "by.elsewhere": "built in: an emergency number in other countries always passes",
    "by.allow": 'your setting: numbers.allow has "{entry}"',
    "by.block": 'your setting: numbers.block has "{entry}"',
    "by.home": 'your setting: numbers.profile = "home" lets abroad only numbers.allow',
    "by.rule": "rule {rule}, revision {rev} ({file})",
    "by.malformed": 'your setting: policy.malformed = "drop" ({reason})',
    "by.default": "no list and no rule has it, so it passes",
    "by.watch": "the destination list (rules/destinations.csv)",
    "by.off": "no rule in force stops what is listed",
    "by.origin.allow": "your setting: origin.allow has this address or its country",
    "by.origin.block": "your setting: origin.block has this address or its country",
    # Why only logged.
    "held.mode": 'only logged, as mode = "monitor"',
    "held.rule": 'only logged, as [rules.{rule}] has mode = "monitor"',
    "held.profile": 'only logged, as numbers.profile = "watch"',
    # Because.
    "tier.block": "{code} {name} is on the block list",
    "tier.watch": "{code} {name} is on the watch list: calls pass",
    "tier.normal": "{code} {name} is on no list",
    "tier.unassigned": "{code} belongs to no country",
    "tier.overlong": "nobody has a number that long",
    "source": "source: {text}",
    "about.extension": "it stays inside the PBX; the lists are about other numbers",
    "about.domestic": "numbers in this country are stopped by numbers.block alone",
    "about.non-numeric": (
        "a name is no telephone number: the PBX decides where it leads, and the lists "
        "of numbers do not apply"
    ),
    # Addresses.
    "address.country": "{name} ({iso2})",
    "address.nowhere": "no country known",
    "address.home": "home",
    "address.abroad": "not home",
    "address.inside": "inside",
    "address.outside": "outside",
    "address.as": "judged as a registration (REGISTER) that comes from there",
    # Thresholds.
    "span.s": "{number} s",
    "span.m": "{number} min",
    "span.h": "{number} h",
    "limit": (
        "{rule} {over} within {within}, as [rules.{rule}] says (shipped: {was_over} "
        "within {was_within})"
    ),
    # What to type, in the configuration.
    "change.allow": 'numbers.allow = ["{code}"] lets these calls pass',
    "change.block": 'numbers.block = ["{code}"] stops these calls',
    "change.unlist": 'take "{entry}" out of numbers.{key}',
    "change.profile": (
        'numbers.allow = ["{code}"] lets these calls pass; '
        'numbers.profile = "office" lets all pass that are on no list'
    ),
    "change.never": "not possible, on purpose",
    "change.enforce": 'mode = "enforce"',
    "change.enforce_rule": "take mode out of [rules.{rule}]",
    "change.enforce_profile": 'numbers.profile = "office"',
    "change.origin.allow": 'origin.allow = ["{input}"]',
    "change.origin.allow_or_country": 'origin.allow = ["{input}"] or ["{iso2}"]',
    "change.origin.block": 'origin.block = ["{input}"]',
    "change.origin.unlist": "take it out of origin.{key}",
}

RULES: Final[dict[str, str]] = {}
"""What a rule stops; in English the rule's file says it."""

SOURCES: Final[dict[str, str]] = {}
"""Where a row of the destination list comes from; in English its head says it."""

REPORT: Final[dict[str, str]] = {
    # How things are written.
    "money": "{currency} {amount}",
    "money.JPY": "JPY {amount}",
    "money.none": "-",
    "day": "{date} {weekday}",
    "weekday.0": "Mon",
    "weekday.1": "Tue",
    "weekday.2": "Wed",
    "weekday.3": "Thu",
    "weekday.4": "Fri",
    "weekday.5": "Sat",
    "weekday.6": "Sun",
    "hour": "{hour}:00",
    "weekday.hour": "{weekday} {hour}:00",
    "country.none": "no country known",
    "name.none": "no name",
    "others": "all others",
    # Head.
    "title": "Telephone line report",
    "period": "{first} to {last} (UTC{offset})",
    "period.none": "The log has no events.",
    # Figures at a glance.
    "card.cost": "Estimated cost, international",
    "card.calls": "International calls answered",
    "card.time": "Time talked abroad",
    "card.stopped": "Calls abroad stopped",
    "card.would": "Would have cost, estimated",
    "card.incidents": "Incidents",
    # International calls.
    "abroad": "International calls",
    "abroad.text": (
        "{tried} tried, {answered} answered. Besides: {home_out} calls out within the "
        "country, {calls_in} calls in."
    ),
    "abroad.none": "No international call was let through.",
    "abroad.days": "By day",
    "abroad.months": "By month",
    "abroad.countries": "By country",
    "abroad.accounts": "By account",
    "chart.calls": "Calls",
    "chart.cost": "Estimated cost, {currency}",
    "chart.stopped": "Stopped calls",
    "chart.messages": "Stopped messages",
    "chart.week": "Stopped messages by hour of the week",
    "chart.desc": "Most: {label}, {shown}. The table has all values.",
    "chart.less": "none",
    "chart.more": "{most}",
    "head.day": "Day",
    "head.month": "Month",
    "head.country": "Country",
    "head.account": "Account",
    "head.tried": "Tried",
    "head.answered": "Answered",
    "head.time": "Talked",
    "head.cost": "Est. cost",
    "head.calls": "Calls",
    "head.would": "Would have cost",
    "head.rule": "Rule",
    "head.messages": "Messages",
    "head.hour": "Hour",
    # What was stopped.
    "stopped": "Stopped calls abroad",
    "stopped.text": (
        "{calls} calls were stopped. They would have cost about {would}, if each had "
        "been answered and taken {seconds} s. That duration is an assumption: the "
        "fraudulent calls of a documented case took as long."
    ),
    "stopped.none": "No call abroad was stopped.",
    "stopped.others": "Other calls stopped, none of them abroad: {calls}.",
    "stopped.days": "By day",
    "stopped.months": "By month",
    "stopped.countries": "By country",
    "stopped.rules": "By rule",
    # Incidents.
    "incidents": "Incidents",
    "incidents.text": "What was closed for a while, and why.",
    "incidents.none": "Nothing had to be closed.",
    "incidents.table": "Closures",
    "incidents.open": "still closed when the log ends",
    "incidents.later": "{until} or later: the log does not say",
    "incidents.until": "still closed, until {until}",
    "incidents.how": "{reason}. To open: {open_with}",
    "incidents.monitor": "{what} (monitor only)",
    "head.opened": "Begin",
    "head.closed": "End",
    "head.what": "Closed",
    "head.reason": "Reason",
    "head.stopped": "Stopped",
    "head.passed": "Passed",
    "head.saved": "Saved at least",
    "what.country": "calls to {subject}",
    "what.international": "all calls abroad",
    "what.binding": "sign-in {subject}",
    "what.sequence": "numbers {subject}",
    "what.new": "countries never called before",
    "what.stopped": "call after call refused, nothing closed",
    "what": "{what} {subject}",
    "budget": "Spending limits reached",
    "head.time.at": "Time",
    "head.share": "Reached",
    "budget.day": "{share} % of the day's limit: {spent} of {limit}",
    "budget.month": "{share} % of the month's limit: {spent} of {limit}",
    # Attacks.
    "attacks": "Attacks",
    "attacks.text": (
        "{messages} messages from outside were stopped. The hours are those of this "
        "place."
    ),
    "attacks.none": "No message from outside was stopped.",
    "attacks.inside": "Messages from inside that were stopped: {messages}.",
    "attacks.monitored": (
        "{messages} of all these passed all the same: their rule is only tried (monitor)."
    ),
    "attacks.countries": "By country of the sender's address",
    "attacks.week": "By hour of the week",
    # Notes.
    "notes": "How this was counted",
    "notes.source": (
        "Everything comes from the agent's log. What the kernel dropped by itself, such "
        "as the packets of banned addresses, is not in it."
    ),
    "notes.cost": (
        "Costs are estimates from the rate table, for every unit of time begun. The "
        "carrier's bill counts."
    ),
    "notes.day": "A call belongs to the day on which it began.",
    "notes.digits": "The last four digits of numbers are hidden.",
    "notes.unpriced": "Answered calls abroad without a price: {calls}.",
    "notes.currency": "Not in the sums, in another currency: {money}.",
    "notes.passed_over": "Lines of the log that could not be read: {lines}.",
    "notes.unlogged": "Lines that the agent could not log: {lines}.",
    "notes.others": "Rows beyond what a table holds are in one row, all others.",
    "notes.undated": "Calls without a date, or too many days apart: {calls}.",
    "notes.incidents": "Older incidents that are not shown: {incidents}.",
    # On the terminal.
    "more": "and {rows} more",
}
"""Words of `report`."""
