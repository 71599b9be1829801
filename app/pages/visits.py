"""One request for a page: who asks, what they sent, and what is answered if it cannot be done."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.engine.environments import digest_of
from app.engine.reader import Reader
from app.pages.api import UNAUTHORIZED, Api, ApiError, Gateway
from app.pages.moment import FIELD, NOW, Look, look_at
from app.pages.rendering import HEADERS, html
from app.pages.sessions import Session, Sessions
from app.pages.words import segment
from app.service import Service
from app.web.caller import FORWARDED, read_body, reader_of, service_of
from app.web.errors import note, status_of
from domain.environment import Environment
from domain.errors import InvalidInput, RunfoldError

FORM_MAX_BYTES = 10 * 1_048_576
"""The largest payload, of which forms write many a byte as three."""
FIELDS_MAX = 2_000
ADDRESS_MAX = 16_384
FORM = "application/x-www-form-urlencoded"
SEE_OTHER = 303
NEXT_MAX = 2_000
SIGN_OUT = "/sign-out"


class Visit:
    """A request from whoever is signed in with this session."""

    def __init__(self, request: Request, reader: Reader, session: Session | None, sessions: Sessions, api: Api) -> None:
        self.request = request
        self.reader = reader
        self.session = session
        self.sessions = sessions
        self.api = api
        self.form: Mapping[str, list[str]] = {}
        self.moment = NOW
        self._environment: Environment | None = None

    @property
    def now(self) -> int:
        """The time, in milliseconds."""
        return self.reader.clock.now().wall

    def field(self, name: str) -> str:
        """What was entered there, or nothing."""
        return self.form.get(name, [""])[0]

    def named(self, part: str) -> str:
        """What the path names, as one part of a path of the API."""
        return segment(self.request.path_params[part])

    def query(self, name: str) -> str:
        """A parameter of the address, or nothing."""
        return self.request.query_params.get(name, "").strip()

    @property
    def environment(self) -> Environment:
        """The one that is open."""
        assert self._environment is not None, "nobody comes here without a key"
        return self._environment

    async def look(self) -> Look:
        """The moment that the address names, at which all links of the page stay. Raises InvalidInput."""
        self.moment = await look_at(self.query(FIELD), self.reader)
        return self.moment

    async def enter(self) -> bool:
        """Open the environment of the session's key; False when there is no key, or it opens nothing any more."""
        if self.session and self.session.key:
            self._environment = await self.reader.environment_of(digest_of(self.session.key))
        return self._environment is not None

    async def service(self) -> Service:
        """What only the writer knows. Raises Unavailable."""
        return await service_of(self.request)

    @property
    def came_from(self) -> str:
        """The page of ours on which the visitor was, or nothing: what browsers say of it is of this host."""
        try:
            url = urlsplit(self.request.headers.get("referer", ""))
        except ValueError:
            return ""
        before = url.path + (f"?{url.query}" if url.query else "")
        is_ours = url.netloc == urlsplit(found_at(self.request)).netloc
        return before if is_ours and before == local(before) and before != address_of(self.request) else ""

    def page(self, template: str, code: int = 200, /, **values: Any) -> Response:
        """A whole page. What its forms make is made once, however often they are sent as they are."""
        key = self.reader.vault.randbytes(16).hex()
        return html(template, self.frame() | {"request_key": key} | values, code)

    def frame(self) -> dict[str, Any]:
        """What every page shows."""
        return {
            "path": self.request.url.path,
            "csrf": self.session.csrf if self.session else "",
            "environment": self._environment,
            "moment": self.moment,
            "is_damaged": self._is_damaged,
        }

    @property
    def _is_damaged(self) -> bool:
        """Whether the ledger or the lists are not what they should be. Only the writer looks, and it answers pages."""
        reader = self.reader
        return isinstance(reader, Service) and bool(reader.verifier.fault or reader.comparer.fault)


Page: TypeAlias = Callable[[Visit], Awaitable[Response]]


class Desk:
    """Receives the visitors of an application."""

    def __init__(self, application: ASGIApp) -> None:
        self._gateway = Gateway(application)
        self._sessions = Sessions()

    async def receive(self, request: Request) -> Visit:
        """Open the session that comes with a request, if there is one."""
        reader = await reader_of(request)
        cookie = request.cookies.get(cookie_of(request), "")
        session = self._sessions.open(cookie, reader.vault, reader.clock.now().wall) if cookie else None
        api = Api(self._gateway, session.key if session else "", found_at(request))
        return Visit(request, reader, session, self._sessions, api)


def route(path: str, page: Page, method: str = "GET", *, is_open: bool = False) -> Route:
    """A page; one that `is_open` is for those, too, who are not signed in. What goes wrong is answered by a page."""

    async def answer(request: Request) -> Response:
        desk = request.app.state.desk
        assert isinstance(desk, Desk)
        visit = await desk.receive(request)
        try:
            if len(str(request.url)) > ADDRESS_MAX:
                raise ApiError(414, f"This address is too long: at most {ADDRESS_MAX} characters.")
            if not await visit.enter() and not is_open:
                return _to_sign_in(visit)
            if method == "POST":
                await _read_form(visit)
            return await page(visit)
        except ApiError as error:
            return _refused(visit, error.status, str(error))
        except RunfoldError as error:
            status = status_of(error)
            note(error, status)
            return _refused(visit, status, str(error))

    return Route(path, answer, methods=[method])


async def _read_form(visit: Visit) -> None:
    """Take the form, if it is from one of our pages. Raises InvalidInput, TooLarge, ApiError."""
    text = await read_body(visit.request, FORM_MAX_BYTES)
    if visit.request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise ApiError(415, f"Forms are sent as {FORM}.")
    try:
        visit.form = parse_qs(text.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise InvalidInput("The form cannot be read: reload the page and try again.") from error
    expected = visit.session.csrf if visit.session else ""
    if not expected or not hmac.compare_digest(expected.encode(), visit.field("csrf").encode()):
        raise ApiError(403, "This form is of another session: go back, reload the page and try again.")
    if visit.field("request"):
        # All that was sent counts: who goes back and enters something else wants something else.
        visit.api.name_requests(hashlib.sha256(text).hexdigest())


def found_at(request: Request) -> str:
    """Where the browser found this page, also if another node sent the request on."""
    return (request.headers.get(FORWARDED) or str(request.base_url)).rstrip("/")


def cookie_of(request: Request) -> str:
    """The name of the session's cookie. Browsers share cookies between the ports of a machine."""
    return f"runfold_session_{urlsplit(found_at(request)).port or 'web'}"


def address_of(request: Request) -> str:
    """What is asked for, behind the host."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def local(path: str) -> str:
    """A path of our own, so that nobody is led elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours and len(path) <= NEXT_MAX else "/"


def see(path: str) -> Response:
    """Go on there."""
    return RedirectResponse(path, SEE_OTHER, HEADERS)


def _to_sign_in(visit: Visit) -> Response:
    is_reading = visit.request.method == "GET"
    going = address_of(visit.request) if is_reading else visit.came_from
    asked = {"next": going} if going not in {"", "/"} else {}
    was_in = visit.session is not None and visit.session.key
    is_lost = not is_reading and visit.request.url.path != SIGN_OUT
    said = {"said": "unchanged"} if is_lost else {"said": "again"} if was_in else {}
    query = urlencode(asked | said)
    response = see("/sign-in" + (f"?{query}" if query else ""))
    response.delete_cookie(cookie_of(visit.request))
    return response


def _refused(visit: Visit, status: int, sentence: str) -> Response:
    if status == UNAUTHORIZED:
        return _to_sign_in(visit)
    return html(
        "refused.html", visit.frame() | {"sentence": sentence, "status": status, "back": visit.came_from}, status
    )
