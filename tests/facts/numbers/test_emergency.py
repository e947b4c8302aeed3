import pytest
from ringfence.facts.numbers.emergency import EMERGENCY, BuiltIn, is_sos_service


def test_what_is_built_in_for_japan() -> None:
    built_in = BuiltIn("JP")
    for number in ("110", "118", "119"):
        assert built_in.find(number) == ("emergency", "emergency")
    for number in ("100", "104", "171", "188", "199"):
        assert built_in.find(number) == ("special", "special_1xy")
    assert built_in.find("#7119") == ("special", "special_hash")


@pytest.mark.parametrize(
    "near", ["", "1", "11", "1100", "0110", "219", "+110", "#711", "#71190", "7119"]
)
def test_a_match_is_of_the_whole_number(near: str) -> None:
    assert BuiltIn("JP").find(near) is None


@pytest.mark.parametrize("country", EMERGENCY)
def test_every_country_has_its_own(country: str) -> None:
    built_in = BuiltIn(country)
    for number in EMERGENCY[country]:
        assert built_in.find(number) == ("emergency", "emergency")
        assert number[-2:] in built_in.ends


def test_a_country_without_a_table_gets_those_of_anywhere() -> None:
    built_in = BuiltIn("ZZ")
    for number in ("112", "911", "999", "000"):
        assert built_in.find(number) == ("emergency", "emergency")


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("urn", "service:sos"),
        ("urn", "service:SOS.fire"),
        ("urn", "Service:sos.animal-control"),
        ("sip", "sos"),
        ("sips", "sos.police"),
        ("sip", "sos;isub=1"),
    ],
)
def test_service_urns(scheme: str, name: str) -> None:
    assert is_sos_service(scheme, name)


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("urn", "sos"),
        ("urn", "service:sosx"),
        ("urn", "service:sos."),
        ("urn", "service:test.sos"),
        ("urn", "service:counseling"),
        ("urn", "service:sos.01023276123456"),
        ("sip", "sos.01023276123456"),
        ("urn", "nena:service:sos"),
        ("sip", "sos1"),
        ("sip", "sos\u0661"),
        ("sip", "sos.\u0661"),
        ("tel", "sos"),
        ("", "sos"),
    ],
)
def test_other_names_are_no_emergency(scheme: str, name: str) -> None:
    assert not is_sos_service(scheme, name)
