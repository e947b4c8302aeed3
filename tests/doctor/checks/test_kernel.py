"""What kernel and programs can do."""

from doctoring import APK, DEBIAN, HEALTHY, one
from ringfence.doctor.readings import Unread


def test_nft() -> None:
    assert one("nft").state == "fine"
    missing = Unread("nft is not in PATH; install the package nftables")
    said = one("nft", nft=missing)
    assert said.state == "problem"
    assert said.do == ("opkg update && opkg install nftables-json",)
    assert one("nft", machine=APK, nft=missing).do[0].startswith("apk update")
    assert one("nft", machine=DEBIAN, nft=missing).do == ("apt-get install nftables",)
    assert one("nft", nft=Unread("it did not answer")).state == "unknown"


def test_features_of_nf_tables() -> None:
    assert one("kernel").state == "fine"
    lacks = {"sets with timeouts": "Error: not supported", "notrack": "no such file"}
    said = one("kernel", features=lacks)
    assert said.state == "problem"
    assert "sets with timeouts (Error: not supported)" in said.what
    assert "notrack" in said.what
    assert one("kernel", features=Unread("not root")).state == "unknown"


def test_how_packets_get_to_the_agent() -> None:
    check = "queue-statement"
    assert one(check).state == "fine"
    assert one(check, queue_statement=Unread("not root")).state == "unknown"
    lacking = HEALTHY._replace(queue_statement=False)
    assert one(check, lacking).state == "note"  # an agent runs: xtables it is
    assert one(check, lacking, agent=None).state == "note"
    alone = lacking._replace(agent=None, xtables=False)
    assert one(check, alone).state == "problem"
    assert "kmod-nft-queue" in one(check, alone).do[0]
    assert one(check, alone, machine=DEBIAN).do == ("modprobe nft_queue",)


def test_connection_tracking() -> None:
    assert one("conntrack").state == "fine"
    assert one("conntrack", conntrack=False).state == "warning"
    said = one("conntrack", machine=DEBIAN, ctnetlink=False)
    assert said.state == "warning"
    assert said.do == ("modprobe nf_conntrack_netlink",)
