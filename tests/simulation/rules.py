"""How a broken rule is told."""


class Violation(AssertionError):
    """A rule of the design was broken."""


def rule(kept: bool, text: str, *details: object) -> None:  # noqa: FBT001 - it reads like `assert`
    """Say which rule was broken, if it was."""
    if not kept:
        raise Violation(text % details)
