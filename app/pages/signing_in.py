"""Signing in with an environment's secret key, and out."""

from urllib.parse import urlsplit

from starlette.responses import Response

from app.engine.environments import digest_of
from app.pages.sessions import LASTS_MS, Session
from app.pages.visits import Visit, cookie_of, found_at, local, see

KEY_MAX = 512
SAID = {
    "again": "Your session is over, or its key was revoked: sign in again.",
    "unchanged": "Your session has ended; nothing was changed. Sign in, and do it again.",
}
"""Why one comes here."""


async def ask(visit: Visit) -> Response:
    """The form. It has a session of its own, so that no other site can sign anybody in."""
    if visit.session is not None and visit.session.key:
        return see(local(visit.query("next")))
    return _form(visit, SAID.get(visit.query("said"), ""))


async def enter(visit: Visit) -> Response:
    """Open the environment of a key."""
    key = visit.field("key").strip()
    if not key or len(key) > KEY_MAX or await visit.reader.environment_of(digest_of(key)) is None:
        return _form(visit, "This key opens no environment here. Secret keys begin with tr_.", 401)
    response = see(local(visit.field("next")))
    _keep(visit, visit.sessions.begin(key, visit.reader.vault, visit.now), response)
    return response


async def leave(visit: Visit) -> Response:
    """Sign out."""
    response = see("/sign-in")
    response.delete_cookie(cookie_of(visit.request))
    return response


def _form(visit: Visit, sentence: str, status: int = 200) -> Response:
    if visit.session is None:
        visit.session = visit.sessions.begin("", visit.reader.vault, visit.now)
    going = local(visit.field("next") or visit.query("next"))
    response = visit.page("sign_in.html", status, sentence=sentence, going=going)
    _keep(visit, visit.session, response)
    return response


def _keep(visit: Visit, session: Session, response: Response) -> None:
    response.set_cookie(
        cookie_of(visit.request),
        visit.sessions.seal(session, visit.reader.vault),
        max_age=LASTS_MS // 1_000,
        path="/",
        secure=urlsplit(found_at(visit.request)).scheme == "https",
        httponly=True,
        samesite="lax",
    )
