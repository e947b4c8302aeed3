"""Messages and attributes, byte by byte; and whatever else may come."""

import errno
import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringfence.netfilter import netlink
from ringfence.netfilter.netlink import Message

U16 = st.integers(0, 0xFFFF)


def native(value: int, size: int) -> bytes:
    return value.to_bytes(size, sys.byteorder)


def test_a_message_to_nfnetlink() -> None:
    said = netlink.netfilter_message(
        0x0302,
        netlink.attribute(3, b"\x00\x00\x10\x00"),
        netlink.attribute(9, b"abc"),
        family=socket.AF_INET,
        resource=0x1234,
        flags=netlink.REQUEST | netlink.ACK,
        sequence=7,
    )
    assert said == (
        native(36, 4)
        + native(0x0302, 2)
        + native(5, 2)
        + native(7, 4)
        + bytes(4)
        # family, version, and the resource, which is big endian everywhere
        + b"\x02\x00\x12\x34"
        + native(8, 2)
        + native(3, 2)
        + b"\x00\x00\x10\x00"
        + native(7, 2)
        + native(9, 2)
        + b"abc\x00"
    )


def test_nested_attributes_are_marked_and_read_without_the_mark() -> None:
    said = netlink.nested(1, netlink.attribute(2, b"xy"), netlink.attribute(3, b""))
    assert said[2:4] == native(0x8001, 2)
    inner = netlink.attributes(said)[1]
    assert netlink.attributes(inner) == {2: b"xy", 3: b""}


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=64), max_size=8))
def test_attributes_are_read_as_written(given: dict[int, bytes]) -> None:
    said = b"".join(netlink.attribute(kind, data) for kind, data in given.items())
    assert netlink.attributes(said) == given
    assert netlink.attributes(b"head" + said, 4) == given


@given(st.lists(st.tuples(U16, U16, U16, st.binary(max_size=64)), max_size=5))
def test_messages_are_read_as_written(given: list[tuple[int, int, int, bytes]]) -> None:
    said = b""
    for kind, flags, sequence, body in given:
        said += netlink.message(kind, body, flags, sequence)
        said += bytes(-len(said) % 4)
    assert list(netlink.messages(said)) == [Message(*one) for one in given]


@given(st.binary(max_size=200))
def test_anything_is_read_to_its_end(data: bytes) -> None:
    assert sum(16 + len(one.body) for one in netlink.messages(data)) <= len(data)
    assert all(len(value) < len(data) for value in netlink.attributes(data).values())
    netlink.error_in(data)


@pytest.mark.parametrize("size", [0, 15, 25, 0xFFFFFFFF])
def test_a_message_with_a_wrong_length_ends_the_reading(size: int) -> None:
    good = netlink.message(5, b"12345678")
    bad = struct.pack("=I", size) + good[4:]
    assert [one.kind for one in netlink.messages(good + bad)] == [5]


@pytest.mark.parametrize("size", [0, 3, 9, 0xFFFF])
def test_an_attribute_with_a_wrong_length_ends_the_reading(size: int) -> None:
    good = netlink.attribute(5, b"1234")
    bad = struct.pack("=HH", size, 6) + b"1234"
    assert netlink.attributes(good + bad) == {5: b"1234"}


def test_errors() -> None:
    refused = netlink.error_in(struct.pack("=i", -errno.EPERM) + bytes(16))
    assert isinstance(refused, PermissionError)
    assert refused.strerror == "Operation not permitted"
    assert netlink.error_in(struct.pack("=i", 0)) is None
    assert netlink.error_in(b"") is None
