"""Every exception that ringfence raises on purpose.

`Malformed` is what a stranger can cause: it names bad input, is raised anywhere in
the core and caught once, in the engine. `RingfenceError` and its children are what
the person who runs the agent can cause and mend; the command line prints them as
one sentence each and exits with `exit_code`. Any other exception is our bug.
"""

from typing import ClassVar


class Malformed(Exception):  # noqa: N818 - the name is the finding, not an error type
    """Input that cannot be read as what it claims to be.

    `reason` is a dotted, stable name such as `ip.short` or `sip.start-line`: the
    first part is the layer, the second what is wrong there. It goes to the log, the
    counters and the `malformed` policy, never the stranger's bytes themselves.
    """

    def __init__(self, reason: str) -> None:
        """Name what is wrong, as `layer.problem`."""
        super().__init__(reason)
        self.reason = reason


class RingfenceError(Exception):
    """Something the operator can mend; carries the process exit code."""

    exit_code: ClassVar[int] = 2


class ConfigError(RingfenceError):
    """All that is wrong with a configuration, one line each in `problems`."""

    def __init__(self, problems: list[str]) -> None:
        """Collect every problem as `path = value: what was expected`."""
        super().__init__("\n".join(problems))
        self.problems = problems


class CaptureError(RingfenceError):
    """A capture file that cannot be read, or not to its end."""


class KernelError(RingfenceError):
    """A privilege, tool or kernel feature that is missing, or a queue taken."""

    exit_code = 3


class BundleError(RingfenceError):
    """Rules or tables that are refused."""

    exit_code = 4
