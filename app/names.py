"""Names that users give, tags among them, and those of machines, which they choose from."""

from domain.errors import InvalidInput

NAME_MAX = 128
TAG_MAX = 128
TAGS_MAX = 10
MACHINES = ("micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x")


def named(name: str, what: str) -> str:
    """A name that can stand in lists, filters and file names. Raises InvalidInput."""
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise InvalidInput(f"A {what} has 1 to {NAME_MAX} printable characters.")
    return name


def tags_of(tags: str | list[str], what: str = "run") -> tuple[str, ...]:
    """The tags, each once, in their order. Raises InvalidInput when there are too many or one is too long."""
    given = [tags] if isinstance(tags, str) else tags
    if any(not 0 < len(tag) <= TAG_MAX for tag in given):
        raise InvalidInput(f"A tag has 1 to {TAG_MAX} characters.")
    unique = tuple(dict.fromkeys(given))
    if len(unique) > TAGS_MAX:
        raise InvalidInput(f"A {what} has at most {TAGS_MAX} tags; these are {len(unique)}.")
    return unique


def known_machine(machine: str) -> str:
    """A machine preset. Raises InvalidInput for one that there is not."""
    if machine not in MACHINES:
        raise InvalidInput(f"There is no machine {machine[:40]!r}; machines are {', '.join(MACHINES)}.")
    return machine


def machine_of(machine: str | None) -> str | None:
    """A machine preset, if one is named."""
    return None if machine is None else known_machine(machine)
