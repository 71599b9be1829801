"""How long a caller may stay: streams and polls that are held end when the token or the key that opened them does."""

from typing import NamedTuple

from app.service import Service
from app.web.caller import Caller
from app.web.errors import Unauthorized


class Stay(NamedTuple):
    """A caller who is here for longer than one question."""

    caller: Caller
    service: Service

    def at_most(self, seconds: float) -> float:
        """So many seconds, or those until the token expires if they are fewer."""
        grant = self.caller.grant
        return seconds if grant is None else max(0.0, min(seconds, (grant.expires_at - self._now()) / 1_000))

    def why_over(self) -> str | None:
        """Why the caller would not be let in any more; None if it would be."""
        caller, environment = self.caller, self.service.environment_now(self.caller.environment.id)
        if environment is None or (caller.grant.signed_by if caller.grant else caller.sha256) not in environment.keys:
            return "Invalid or Missing API Key: this key was revoked."
        if caller.grant and caller.grant.expires_at <= self._now():
            return "This public token is not valid: it has expired."
        return None

    def check(self) -> None:
        """Raises Unauthorized when the stay is over."""
        if reason := self.why_over():
            raise Unauthorized(reason)

    def _now(self) -> int:
        return self.service.clock.now().wall
