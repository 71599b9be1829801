"""Who is signed in: a cookie with a secret key, sealed so that only this engine can read or make one."""

import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct

from adapters.secrets import KEY_BYTES, MasterKey, Vault
from domain.errors import KeyMissing, SealBroken

LASTS_MS = 12 * 3_600_000
"""From signing in, whatever is opened meanwhile.

Nothing is kept of a session but its cookie: signing out takes that away, and a copy of it is good until then. Were it
made anew with each page, a copy that somebody uses would never end.
"""
COOKIE_MAX = 4_096
_PLACE = ("", "session", "dashboard")
_TO_COOKIE = str.maketrans("+/", "-_", "=")
_FROM_COOKIE = str.maketrans("-_", "+/")


class Session(Struct, frozen=True):
    """`key` opens the environment, and is nothing before somebody signs in; `until` is in milliseconds.

    `csrf` is what forms of this session's pages carry, and no other site can know.
    """

    key: str
    csrf: str
    until: int


class Sessions:
    """Seals with the engine's vault. Where that has no key, sessions last as long as this process."""

    def __init__(self, randbytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._own = Vault([MasterKey(randbytes(KEY_BYTES))], randbytes)

    def begin(self, key: str, vault: Vault, now: int) -> Session:
        """A new session."""
        return Session(key, vault.randbytes(16).hex(), now + LASTS_MS)

    def seal(self, session: Session, vault: Vault) -> str:
        """The value of the cookie."""
        value = msgspec.json.encode(session)
        try:
            sealed = vault.seal(value, *_PLACE)
        except KeyMissing:
            sealed = self._own.seal(value, *_PLACE)
        return sealed.translate(_TO_COOKIE)

    def open(self, cookie: str, vault: Vault, now: int) -> Session | None:
        """The session of a cookie; None for one that is over, or was not made here."""
        if not cookie.isascii() or len(cookie) > COOKIE_MAX:
            return None
        text = cookie.rpartition(".")[2]
        sealed = cookie.translate(_FROM_COOKIE) + "=" * (-len(text) % 4)
        for each in (vault, self._own):
            try:
                session: Session = msgspec.json.decode(each.open(sealed, *_PLACE), type=Session)
            except (KeyMissing, SealBroken):
                continue
            return session if session.until > now else None
        return None
