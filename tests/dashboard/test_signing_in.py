"""Who may see the pages: sessions, their cookies, and forms that no other site can send."""

import os
import re

import pytest
from starlette.routing import Route

from adapters.secrets import MasterKey, Vault
from app.pages.routes import ROUTES
from app.pages.sessions import LASTS_MS, Sessions
from tests.app.harness import KEY, Engine
from tests.dashboard.visitor import Visitor


def _routes(method: str) -> list[str]:
    """The paths of all pages that need a session, with something in the place of their parameters."""
    found = [route for route in ROUTES if isinstance(route, Route)]
    paths = [re.sub("{.*?}", "run_1", route.path) for route in found if method in (route.methods or ())]
    return [path for path in paths if not path.startswith(("/assets/", "/sign-in", "/docs"))]


async def test_without_a_session_every_page_leads_to_the_form(engine: Engine, stranger: Visitor) -> None:
    before = engine.head
    paths = [("GET", path) for path in _routes("GET")] + [("POST", path) for path in _routes("POST")]

    for method, path in paths:
        response = await stranger.client.request(method, path)
        assert (response.status_code, response.content) == (303, b""), path
        assert response.headers["location"].startswith("/sign-in"), path
    assert len(paths) >= 40
    assert engine.head == before


async def test_a_key_opens_its_environment_and_leads_where_one_wanted_to_go(stranger: Visitor) -> None:
    response = await stranger.client.get("/?status=FAILED")
    form = (await stranger.open(response.headers["location"])).one("form")
    (going,) = form.all("input", name="next")

    assert await stranger.send("/sign-in", key=f" {KEY}\n", next=going.attributes["value"]) == "/?status=FAILED"
    page = await stranger.open("/")
    assert page.one("span", class_="env").text == "dev"
    assert await stranger.send("/sign-out") == "/sign-in"
    assert (await stranger.client.get("/")).status_code == 303


@pytest.mark.parametrize("key", ["", "tr_dev_wrong", "x" * 5_000, "ü", "\0"])
async def test_what_is_no_key_opens_nothing(stranger: Visitor, key: str) -> None:
    await stranger.open("/sign-in")

    said = await stranger.send("/sign-in", 401, key=key)

    assert "This key opens no environment here." in said
    assert (await stranger.client.get("/")).status_code == 303


@pytest.mark.parametrize(
    "going", ["https://evil.test/", "//evil.test", "/\\evil.test", "runs", "/\nx", "/" + "x" * 3_000]
)
async def test_nobody_is_led_to_another_site(stranger: Visitor, going: str) -> None:
    assert await stranger.sign_in(next=going) == "/"


async def test_the_cookie_is_for_the_browser_alone_and_tells_nothing(stranger: Visitor) -> None:
    await stranger.open("/sign-in")
    response = await stranger.client.post("/sign-in", data={"csrf": stranger.csrf, "key": KEY})

    name, _, rest = response.headers["set-cookie"].partition("=")
    value, *attributes = rest.split("; ")

    assert name == "runfold_session_web"
    assert {each.lower() for each in attributes} == {
        "httponly",
        "samesite=lax",
        "path=/",
        f"max-age={LASTS_MS // 1_000}",
    }
    assert KEY not in value
    assert "access-control-allow-credentials" not in response.headers


async def test_the_cookie_is_secure_where_the_page_is(stranger: Visitor) -> None:
    response = await stranger.client.get("https://engine/sign-in")

    assert "secure" in response.headers["set-cookie"].lower().split("; ")


async def test_a_session_is_over_in_the_end_and_when_its_key_is_revoked(engine: Engine, visitor: Visitor) -> None:
    made = await engine.post("/api/v1/environments/dev/keys")
    await visitor.open("/")
    await visitor.send("/sign-out")
    await visitor.sign_in(made["key"])
    await visitor.open("/")

    await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")

    response = await visitor.client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in?said=again")
    assert "was revoked" in (await visitor.open("/sign-in?said=again")).one("main").words
    await visitor.sign_in()
    engine.clock.wall += LASTS_MS - 1
    await visitor.open("/")
    engine.clock.wall += 1
    assert (await visitor.client.get("/")).status_code == 303


async def test_a_copy_of_the_cookie_ends_with_its_key_or_half_a_day_after_signing_in(
    engine: Engine, visitor: Visitor
) -> None:
    (cookie,) = visitor.client.cookies.jar
    copy = {"cookie": f"{cookie.name}={cookie.value}"}
    await visitor.open("/")
    await visitor.send("/sign-out")

    async def answered() -> int:
        visitor.client.cookies.clear()
        return (await visitor.client.get("/", headers=copy)).status_code

    engine.clock.wall += 12 * 3_600_000 - 1
    assert await answered() == 200
    engine.clock.wall += 1
    assert await answered() == 303


@pytest.mark.parametrize("wrong", ["{}x", "1.x.{}", "ü", "", "1.630dcd29.AAAA", "." * 5_000])
async def test_a_cookie_that_was_not_made_here_opens_nothing(visitor: Visitor, wrong: str) -> None:
    (cookie,) = visitor.client.cookies.jar
    value = wrong.format(f"{cookie.value}"[:-4])
    visitor.client.cookies.clear()

    response = await visitor.client.get("/", headers={b"cookie": f"{cookie.name}={value}".encode()})

    assert response.status_code == 303


@pytest.mark.parametrize("csrf", ["", "0" * 32, "ü"])
async def test_a_form_of_another_site_changes_nothing(engine: Engine, visitor: Visitor, csrf: str) -> None:
    before = engine.head

    for path in _routes("POST"):
        response = await visitor.client.post(
            path, data={"csrf": csrf, "limit": "1", "run": "run_1", "action": "cancel"}
        )
        assert response.status_code == 403, path
        assert "This form is of another session" in response.text
    assert engine.head == before
    await visitor.open("/")


async def test_a_form_without_a_session_changes_nothing(engine: Engine, stranger: Visitor) -> None:
    run = await engine.trigger(delay="1h")
    before = engine.head

    response = await stranger.client.post(f"/runs/{run}/cancel", data={"csrf": ""})

    assert (response.status_code, response.headers["location"], engine.head) == (303, "/sign-in?said=unchanged", before)


async def test_a_form_that_is_sent_when_the_session_is_over_says_that_and_leads_back(
    engine: Engine, visitor: Visitor
) -> None:
    run = await engine.trigger(delay="1h")
    page = f"/runs/{run}?steps=5"
    engine.clock.wall += LASTS_MS
    before = engine.head

    response = await visitor.client.post(
        f"/runs/{run}/cancel", data={"csrf": visitor.csrf}, headers={"referer": f"http://engine{page}"}
    )
    place = response.headers["location"]
    told = await visitor.open(place)
    went = await visitor.send("/sign-in", key=KEY, next=told.one("input", name="next").attributes["value"])

    assert engine.head == before
    assert told.one("p", role="alert").words == "Your session has ended; nothing was changed. Sign in, and do it again."
    assert went == page
    engine.clock.wall += LASTS_MS
    assert await visitor.send("/sign-out") == "/sign-in"


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://engine/queues?page=2", "/queues?page=2"),
        ("http://evil.example/queues", None),
        ("http://engine//evil.example/queues", None),
        ("http://engine:99999999/queues", None),
        ("javascript:alert(1)", None),
        ("http://[", None),
        ("", None),
    ],
)
async def test_what_is_refused_leads_back_to_the_page_before_if_that_is_ours(
    visitor: Visitor, referer: str, back: str | None
) -> None:
    response = await visitor.client.post(
        "/queues/environment", data={"csrf": visitor.csrf, "limit": "abc"}, headers={"referer": referer}
    )
    page = visitor.read(response, 422)

    assert "A limit is a whole number" in page.one("p", role="alert").words
    links = [each.attributes["href"] for each in page.one("main").all("a")]
    assert links == ([back] if back else []) + ["/"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"csrf=x", "application/json", 415),
        (b"csrf=\xff", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 3_000, "application/x-www-form-urlencoded", 422),
        (b"x" * 11_000_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_is_no_form_is_refused(visitor: Visitor, body: bytes, kind: str, status: int) -> None:
    response = await visitor.client.post("/sign-out", content=body, headers={"content-type": kind})

    assert response.status_code == status
    assert "could not be done" in response.text


@pytest.mark.parametrize("path", ["/?tag=", "/runs/", "/sign-in?next=/"])
async def test_an_address_that_is_too_long_is_refused(visitor: Visitor, path: str) -> None:
    assert "This address is too long" in (await visitor.open(path + "x" * 20_000, 414)).one("main").words


async def test_every_page_says_what_browsers_may_run(visitor: Visitor) -> None:
    response = await visitor.client.get("/")
    policy = response.headers["content-security-policy"]

    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"


def test_without_an_encryption_key_sessions_are_those_of_one_process() -> None:
    none, one = Vault([], os.urandom), Vault([MasterKey(bytes(32))], os.urandom)
    here, there = Sessions(), Sessions()
    session = here.begin("tr_dev_key", none, 1_000)

    for vault, is_shared in ((none, False), (one, True)):
        cookie = here.seal(session, vault)
        assert here.open(cookie, vault, 1_000) == session
        assert there.open(cookie, vault, 1_000) == (session if is_shared else None)
        assert here.open(cookie, vault, session.until) is None
        assert "tr_dev_key" not in cookie
    assert here.open(here.seal(session, one), none, 1_000) is None
