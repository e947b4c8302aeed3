"""Which rules an agent runs on, and when it gives a bundle up."""

import shutil
from pathlib import Path

import pytest
from builders import RULES
from bundles import CREATED, EXPIRES
from ringfence.config import Config, parse_config
from ringfence.errors import ConfigError
from ringfence.stock import AGAIN, Stock
from stores import FailingDisk, Router, archive


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(tmp_path)


def config(router: Router, more: str = "") -> Config:
    places = router.places
    return parse_config(
        f'[bundle]\nstore = "{places.folder}"\nfactory = "{places.factory}"\n'
        f'keys = "{places.keys}"\ntrial = 10\n'
        f'[control]\nsocket = "{places.locks}/control.sock"\n{more}',
        "test",
    )


def begun(router: Router, stock: Stock | None = None) -> Stock:
    """Start an agent's stock at second 100."""
    stock = stock or Stock(None)
    stock.load(config(router))
    stock.adopt(100.0, 0)
    return stock


def version(router: Router) -> object:
    return begun(router).record(0.0).get("version")


def test_without_a_store(router: Router) -> None:
    stock = Stock(None)
    rules = stock.load(config(router)).rules
    assert stock.adopt(0.0, 0) is None
    assert len(rules) == len(list(RULES.glob("*.toml")))
    assert stock.record(0.0) == {"source": "embedded", "problems": []}
    assert stock.brief() == "embedded"
    assert stock.floor() == 0.0
    assert stock.tend(1e9, 5) is None


def test_given_rules_come_before_the_store(router: Router, tmp_path: Path) -> None:
    router.settled(1)
    shutil.copytree(RULES, tmp_path / "given")
    stock = begun(router, Stock(tmp_path / "given"))
    assert stock.brief() == str(tmp_path / "given")


def test_what_is_confirmed_after_its_time(router: Router) -> None:
    router.install(archive(7))
    stock = begun(router)
    record = stock.record(EXPIRES)
    assert (record["version"], record["source"], record["trial"]) == (7, "a", True)
    assert record["stale"] is True
    assert stock.floor() == CREATED, "the clock cannot be before that"
    assert stock.wait(104.0) == 6.0
    assert stock.tend(109.9, 0) is None
    said = stock.tend(110.0, 0)
    assert said is not None
    assert (said.fields["notice"], said.reload) == ("bundle-confirmed", False)
    assert stock.tend(1e9, 1) is None
    assert stock.record(0.0)["trial"] is False
    assert [version(router) for _ in range(5)] == [7] * 5


def test_an_internal_error_ends_the_trial_at_once(router: Router) -> None:
    router.settled(1)
    router.install(archive(2))
    stock = Stock(None)
    stock.load(config(router))
    stock.adopt(100.0, 3)
    assert stock.tend(101.0, 3) is None
    said = stock.tend(102.0, 4)
    assert said is not None
    assert (said.fields["notice"], said.reload) == ("bundle-rolled-back", True)
    stock.load(config(router))
    stock.adopt(103.0, 4)
    assert stock.record(0.0)["version"] == 1


def test_a_reload_does_not_begin_the_trial_again(router: Router) -> None:
    router.install(archive(2))
    stock = begun(router)
    for second in range(101, 110):
        stock.load(config(router))
        stock.adopt(float(second), 0)
    said = stock.tend(110.0, 0)
    assert said is not None
    assert said.fields["notice"] == "bundle-confirmed"


def test_what_the_kernel_does_not_take_is_given_up(router: Router) -> None:
    router.settled(1)
    stock = begun(router)
    router.install(archive(2))
    stock.load(config(router))
    stock.refuse()
    assert stock.record(0.0)["version"] == 1
    assert version(router) == 1
    # What is in force and good is not given up for a reload that fails.
    stock.load(config(router))
    stock.refuse()
    assert version(router) == 1


@pytest.mark.parametrize("errors", [0, 1])
def test_what_cannot_be_written_is_tried_again(
    router: Router, errors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.settled(1)
    router.install(archive(2))
    stock = begun(router)
    assert stock._store is not None
    monkeypatch.setattr(stock._store, "_disk", FailingDisk(0, 28))
    said = stock.tend(110.0, errors)
    assert said is not None
    assert said.fields["notice"] == "bundle-state"
    assert stock.tend(110.1, errors) is None
    assert stock.wait(110.0) == AGAIN
    said = stock.tend(110.0 + AGAIN, 0)
    assert said is not None
    expected = "bundle-rolled-back" if errors else "bundle-confirmed"
    assert said.fields["notice"] == expected


def test_nothing_valid_is_no_reason_to_stop(router: Router) -> None:
    router.settled(1)
    for path in router.places.folder.iterdir():
        path.write_bytes(b"x" * 600)
    stock = Stock(None)
    assert len(stock.load(config(router)).rules) > 2
    said = stock.adopt(0.0, 0)
    assert said is not None
    assert said.fields["notice"] == "bundle-unusable"
    record = stock.record(0.0)
    assert record["source"] == "embedded"
    assert record["problems"]


def test_no_keys_are_no_reason_to_stop(router: Router) -> None:
    router.settled(1)
    shutil.rmtree(router.places.keys)
    stock = begun(router)
    assert stock.record(0.0)["source"] == "embedded"
    assert "keys" in str(stock.record(0.0)["problems"])


def test_a_configuration_that_nothing_fits(router: Router) -> None:
    router.settled(1)
    with pytest.raises(ConfigError, match="dialplan"):
        Stock(None).load(config(router, '[numbers]\ndialplan = "xx"\n'))
    # One that the embedded rules fit, and the bundle does not.
    stock = Stock(None)
    stock.load(config(router, '[numbers]\ndialplan = "us"\n'))
    stock.adopt(0.0, 0)
    assert stock.record(0.0)["source"] == "embedded"
    assert "numbers.dialplan" in str(stock.record(0.0)["problems"])
