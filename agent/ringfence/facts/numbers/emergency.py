"""Numbers that always pass, in code so that no file can take them away.

Knows the emergency and public service numbers by country and their service URNs. It
must not read them from a dial plan, a destination list or a config: those are checked
against this module, never the other way round. A match is of the whole number: an
emergency number in front of something else is a prefix, and no emergency.

Sources: the numbering page of the Japanese Ministry of Internal Affairs and
Communications for 110, 118, 119, 1XY and the # codes; 3GPP TS 22.101 section 10 for
what a handset treats as an emergency call anywhere; the short numbers of libphonenumber
for the other countries; RFC 5031 for the URNs.
"""

from ringfence.facts.numbers.forms import Form, FormTable, parse_form

EMERGENCY: dict[str, tuple[str, ...]] = {
    "JP": ("110", "118", "119"),
    "AU": ("000", "106", "112"),
    "CA": ("112", "911"),
    "DE": ("110", "112"),
    "FR": ("15", "17", "18", "112", "114", "196"),
    "GB": ("112", "999"),
    "KR": ("112", "119"),
    "SG": ("993", "995", "999"),
    "US": ("112", "911"),
}
"""By country of the dial plan; any other country gets `ANYWHERE`."""

ANYWHERE = frozenset({"000", "08", "112", "911", "999"})
"""What a visitor may dial, wherever the phone stands (3GPP TS 22.101 section 10.1.1).
As short as they are they lead nowhere abroad, so they pass too."""

SPECIAL_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "JP": (("1XX", "special_1xy"), ("#XXXX", "special_hash")),
}
"""Forms of public service numbers: directory (104), time (117), disaster message
board (171), child welfare (189), doctor's advice (#7119), police advice (#9110), …"""


class BuiltIn:
    """The numbers of one country that always pass."""

    __slots__ = ("_exact", "_forms", "_written", "emergency", "ends", "longest")

    def __init__(self, country: str) -> None:
        """Collect what is built in for an ISO 3166 country code."""
        self.emergency = EMERGENCY.get(country, tuple(sorted(ANYWHERE)))
        self._exact: dict[str, tuple[str, str]] = {}
        self._forms: FormTable[tuple[str, str]] = FormTable()
        self._written: list[Form] = []
        for number in self.emergency:
            self._exact[number] = ("emergency", "emergency")
            self._written.append(parse_form(number))
        for text, detail in SPECIAL_FORMS.get(country, ()):
            form = parse_form(text)
            self._forms.add(form, ("special", detail))
            self._written.append(form)
        self.longest = max(len(form.places) for form in self._written)
        self.ends = frozenset(number[-2:] for number in self.emergency)
        """Last digits of emergency numbers: most numbers are told apart by them."""

    def find(self, digits: str) -> tuple[str, str] | None:
        """Give (kind, detail) of a whole number, or None."""
        return self._exact.get(digits) or self._forms.find(digits)

    def taken_by(self, form: Form) -> str:
        """Give a built-in number that fits a form too, "" when there is none."""
        for own in self._written:
            number = form.common(own)
            if number:
                return number
        return ""


def is_sos_service(scheme: str, name: str) -> bool:
    """Say whether a URI names an emergency service.

    RFC 5031 section 4.2: `urn:service:sos` and its sub-services, labels without regard
    to case. `sip:sos@…` and `sip:sos.fire@…` come from the draft before it.
    """
    name = name.lower()
    if "sos" not in name:
        return False
    if scheme == "urn":
        service, _, name = name.partition(":")
        if service != "service":
            return False
    elif scheme not in ("sip", "sips"):
        return False
    first, *labels = name.partition(";")[0].split(".")
    # No registered label has a digit; "sos.010232…" is somebody being clever.
    return first == "sos" and all(
        label.isascii() and label.replace("-", "").isalpha() for label in labels
    )
