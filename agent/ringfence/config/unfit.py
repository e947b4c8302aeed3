"""What a check raises for a value that does not fit."""


class Unfit(Exception):  # noqa: N818 - never leaves this package
    """A value that does not fit; the text says what was expected."""
