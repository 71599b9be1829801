"""Somebody who looks at the pages of an engine, without a script: what is on a page, and what is sent by its forms."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.app.harness import KEY, Engine, transport_of

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "rect", "line", "polyline", "path", "option"})


class Node:
    """An element: its attributes, and its parts in order, which are texts and elements."""

    def __init__(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        self.tag = tag
        self.attributes = {name: value or "" for name, value in attributes.items()}
        self.parts: list[Node | str] = []

    @property
    def text(self) -> str:
        """All that is written in it, without the white space around."""
        return "".join(part if isinstance(part, str) else f" {part.text} " for part in self.parts).strip()

    @property
    def words(self) -> str:
        """The same, with single spaces."""
        return " ".join(self.text.split())

    def all(self, tag: str, **attributes: str) -> list[Node]:
        """The elements in it of this kind with these attributes; a class counts among others."""
        found: list[Node] = []
        for part in self.parts:
            if isinstance(part, Node):
                if part.tag == tag and all(part.has(name, value) for name, value in attributes.items()):
                    found.append(part)
                found += part.all(tag, **attributes)
        return found

    def one(self, tag: str, **attributes: str) -> Node:
        """The only element of this kind."""
        (found,) = self.all(tag, **attributes)
        return found

    def has(self, name: str, value: str) -> bool:
        """Whether an attribute is this."""
        given = self.attributes.get(name.rstrip("_").replace("_", "-"))
        return given is not None and (given == value or (name == "class_" and value in given.split()))


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("page", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self._open[-1].parts.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].parts.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while len(self._open) > 1:
            if self._open.pop().tag == tag:
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def parsed(text: str) -> Node:
    """The elements of a page."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return parser.root


class Visitor:
    """A browser with a cookie jar. Nothing that it opens may be a failure of ours."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf = ""

    async def open(self, path: str, code: int = 200, /, **parameters: str) -> Node:
        """A page."""
        response = await self.client.get(path, params=parameters or None)
        return self.read(response, code)

    async def send(self, path: str, status: int = 303, /, **fields: Any) -> str:
        """Send a form; where it leads, or with another status what the page says."""
        response = await self.client.post(path, data={"csrf": self.csrf} | fields)
        assert response.status_code == status, _said(response)
        if status == 303:
            return str(response.headers["location"])
        return self.read(response, status).one("main").words

    async def sign_in(self, key: str = KEY, **fields: str) -> str:
        """Where one comes with this key."""
        await self.open("/sign-in")
        place = await self.send("/sign-in", key=key, **fields)
        # The form is of another session now.
        await self.open("/keys")
        return place

    def read(self, response: httpx.Response, status: int) -> Node:
        """A page that was answered."""
        assert response.status_code == status, _said(response)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        page = parsed(response.text)
        tokens = {each.attributes["value"] for each in page.all("input", name="csrf")}
        if tokens:
            (self.csrf,) = tokens
        return page


def _said(response: httpx.Response) -> str:
    """What an answer comes to, in short."""
    main = parsed(response.text).all("main")
    return f"{response.status_code}: {main[0].words[:500] if main else response.text[:500]}"


def visiting(engine: Engine) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """A client without a key."""
    return httpx.AsyncClient(transport=transport_of(engine), base_url="http://engine")
