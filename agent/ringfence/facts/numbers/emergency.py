"""Numbers that always pass, in code so that no file can take them away.

Knows the emergency and public service numbers by country and their service URNs. It
must not read them from a dial plan, a destination list or a config: those are checked
against this module, never the other way round. A match is of the whole number: an
emergency number in front of something else is a prefix, and no emergency.

Sources: the numbering page of the Japanese Ministry of Internal Affairs and
Communications for 110, 118, 119, 1XY and the # codes; 3GPP TS 22.101 section 10 for
what a handset treats as an emergency call anywhere; the short numbers of libphonenumber
9.0.43 (Apache-2.0) for the other countries, with what ARCEP lists as emergency numbers
for France (115, 119, 191, 196, 197, 116000); RFC 5031 for the URNs.
"""

from itertools import product

from ringfence.facts.numbers.forms import Form, FormTable, parse_form

EMERGENCY: dict[str, tuple[str, ...]] = {
    "JP": ("110", "118", "119"),
    "AU": ("000", "106", "112"),
    "CA": ("112", "911"),
    "DE": ("110", "112"),
    "FR": ("15", "17", "18", "112", "114", "115", "119", "191", "196", "197", "116000"),
    "GB": ("112", "999"),
    "KR": ("112", "119"),
    "SG": ("993", "995", "999"),
    "US": ("112", "911"),
}
"""Of the countries that have a dial plan here."""

WORLD = """
01 LT LV RU TM UZ
02 LT LV RU TM UZ
03 LT LV RU TM UZ
13 CM
14 DZ
15 EH GF GP MA MC MF ML MQ NC NE PF PK PM RE WF YT
16 GM NC PK
17 BF CM DJ DZ GF GM GP KM MC MF MG ML MQ MR NC NE PF PM RE SN TD WF
18 BF BL DJ GA GF GM GP KM MC MF MG ML MQ MR NC NE PF PM RE SN TD WF
19 EH MA
90 BZ
91 ET
92 ET RS
93 ET HR RS
94 HR RS
000 CC CX PG
001 UZ
002 UZ
003 UZ
011 GE LT
019 SL
022 GE LT
033 GE LT
050 UZ
060 MX
065 MX
066 MX
068 MX
080 MX
085 ES
088 ES
100 AF AR AW BD BE GR IL IN IQ MN NP PS
101 AM AR AZ BD BE BY EC IL IN KG KZ LT MN NP PS RU TJ UA
102 AF AM AZ BD BY EC IL IN KG KZ LT MN MV NP PS RU TJ UA
103 AM AZ BY KG KZ LT MN NP RU TJ UA
104 CU HU IQ
105 CU HU MN PE
106 CU
107 AR HU
108 IN
110 AD BO BT CI CN EE GT ID IR JM LK LV NO NR PG SJ SY TR TW TZ
111 BW CI GE NR NZ PG RW TZ
112 AD AE AL AO AT AX AZ BE BG BI BJ BQ BR BT BW BY CC CH CO CR CW CX CY CZ DK DO DZ
  EC EE ER ES FI FO GE GG GI GL GR HK HR HU ID IE IL IN IR IS IT JE JM JO KE KP KW KZ
  LB LI LK LS LT LU LV MC MD ME MK MQ MT MY NL NO NP NR PH PK PL PT RE RO RS RU RW SA
  SE SI SJ SK ST SY TJ TL TR TW TZ UA VA VE VU XK YT ZA ZM ZW
113 AO BI BT CD CM ER GE GW ID IT LU LV NO SI SJ SM SY VA VN
114 BJ CD DK ER FO HT KE MU TZ VN
115 AO IQ IR IT LS MU NI PK PT SM SR TL TZ VA VN
116 AD BJ ER GM LK PE
117 BI BJ CF CG CH CM GM GW KH LI LS MG MZ PE PH TG
118 AD BJ BO CD CF CG CH GM GW HT ID IT KH LI LK MG MV NE NI SM TG VA
119 AF BO CN CO ID JM KH KP LK MV MZ TW
120 CN GT NI
122 AT BA EG GE IQ ME
123 BA CO EG GT ME
124 BA ME
125 IR
127 AL
128 AL BR NI PY UY
129 AL
130 CV
131 CL CV
132 CL CO CV
133 AT CL
140 LB
144 AT CH LI
150 BG CZ SK
151 CZ
152 CZ
153 CZ
154 CZ
155 CZ SK TR
156 CO CZ
157 CZ
158 CZ SK
159 CZ
160 BG
166 BG GR
170 CI
171 TG VE
172 TG
175 LB
177 CD EH MA TG
180 CI EG
188 CD
190 BR GI LA LY TN
191 GH JO LA LY TH YE
192 BR GH HR JO KI MK XK
193 BR GH HR KI LY MK XK
194 HR KI MK XK YE
195 KI LA YE
197 JO MZ TN
198 MZ TN
199 BD BH CY GI GR HN MM MW NG TH YE
211 BB
311 BB
333 DM KN
355 LR
511 BB
555 SO
666 KH
819 KP
888 SO
901 MD
902 MD
903 MD
911 AC AG AI AR AS AW BB BM BQ BR BS BW BZ CL CR CW DM DO EC ET FJ FM GD GU GY IR JM
  JO KN KY LC LR MH MP MS MX NF NL PA PH PR PW PY SA SH SV TC TO TV UY VC VE VG VI WS
912 GY
913 GY SV
917 FJ
919 BS SX
922 TO
933 TO
939 ET
955 NF
977 NF
990 BZ TT
991 BN ET ZM
992 HK KI
993 BN KI ZM ZW
994 KI WS ZW
995 BN MU WS ZW
996 CK WS
997 AE BW ET MW PL SA
998 AE BW CK MW PL
999 AC AE AG BD BH BW CK DM FK GG GH HK IE IM JE KE KN LB LC MO MS MU MW MY NU PL QA
  SA SB SC SD SH SL SO SS SZ TC TO TT TZ UG VC VG WS ZM ZW
1122 PK
1220 CF
1298 IN
1444 OM
1669 TH
2611 IN
9999 OM
13XX GA
1730 GA
10111 NA ZA
10177 ZA
90000 SE
124422 ER
127799 ER
201606 ER
201917 ER
202099 ER
202914 ER
320221 FM
723141 NE
"""
"""Of all others: a number (X is any digit) and the countries that have it, so that a plan
for one of them is right from the start. One text, as a router looks up one country."""

ANYWHERE = frozenset({"000", "08", "112", "911", "999"})
"""What a visitor may dial, wherever the phone stands (3GPP TS 22.101 section 10.1.1).
As short as they are they lead nowhere abroad, so they pass too."""

SPECIAL_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "JP": (("1XX", "special_1xy"), ("#XXXX", "special_hash")),
    "CA": (("[2-8]11", "special_n11"), ("988", "special_crisis")),
    "DE": (("115", "special_public"), ("116XXX", "special_116")),
    "FR": (("116XXX", "special_116"), ("3114", "special_crisis")),
    "GB": (
        ("1[0-2][0-9]", "special_1xx"),
        ("116XXX", "special_116"),
        ("159", "special_1xx"),
        ("18000", "special_relay"),
    ),
    "KR": (("1XX", "special_1xy"),),
    "SG": (("1777", "special_ambulance"), ("70999", "special_sms")),
    "US": (
        ("[2-8]11", "special_n11"),
        ("933", "special_test"),
        ("988", "special_crisis"),
    ),
}
"""Forms of public service numbers. Japan: directory (104), time (117), disaster message
board (171), child welfare (189), doctor's advice (#7119), police advice (#9110), …
America: N11 with 211 (community), 811 (dig safe), and 988 (crisis line). Europe: 116
numbers of social value. Britain: 101 (police), 105 (power), 111 (health), 159 (fraud),
18000 (999 by text relay). Korea: 111, 113, 117, 118, 120, 129, 182, …"""


def emergency_numbers(country: str) -> tuple[str, ...]:
    """Give the emergency numbers of an ISO 3166 country; unknown ones get `ANYWHERE`."""
    own = EMERGENCY.get(country, ())
    if not own:
        number = ""
        for word in WORLD.split():
            if word[0].isdecimal():
                number = word
            elif word == country:
                own += tuple(map("".join, product(*parse_form(number).places)))
    return own or tuple(sorted(ANYWHERE))


class BuiltIn:
    """The numbers of one country that always pass."""

    __slots__ = ("_exact", "_forms", "_written", "emergency", "ends", "longest")

    def __init__(self, country: str) -> None:
        """Collect what is built in for an ISO 3166 country code."""
        self.emergency = emergency_numbers(country)
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
