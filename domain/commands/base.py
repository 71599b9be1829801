"""What every command says."""

from msgspec import Struct


class Command(Struct, frozen=True, kw_only=True):
    """`actor` is who asks, `cause` names the request or the timer, `at` is when it arrived (milliseconds)."""

    environment: str
    actor: str
    cause: str
    at: int
