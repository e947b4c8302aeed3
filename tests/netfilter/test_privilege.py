"""Who may administer the network, by what the kernel says of a process."""

from pathlib import Path

import pytest
from ringfence.errors import KernelError
from ringfence.netfilter.privilege import require_privilege


@pytest.mark.parametrize(
    ("capabilities", "enough"),
    [
        ("000001ffffffffff", True),
        ("0000000000001000", True),
        ("0000000000000fff", False),
        ("0000000000000000", False),
    ],
)
def test_privilege(tmp_path: Path, capabilities: str, enough: bool) -> None:
    status = tmp_path / "status"
    status.write_text(
        f"Name:\tpython\nCapPrm:\t000001ffffffffff\nCapEff:\t{capabilities}\n",
        encoding="ascii",
    )
    if enough:
        require_privilege(status)
        return
    with pytest.raises(KernelError) as refused:
        require_privilege(status)
    assert str(refused.value) == (
        "this needs the capability CAP_NET_ADMIN; run it as root or give it to the "
        "service"
    )
    assert refused.value.exit_code == 3
