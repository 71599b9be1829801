"""Lists, a page at a time: asked for by awaiting, and the same without."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec

from runfold import transport
from runfold.answers import read
from runfold.batch import ListedBatch
from runfold.blocking import blocking
from runfold.event import ListedEvent
from runfold.options import delay_on_wire
from runfold.run import Run
from runfold.token import TokenState

T = TypeVar("T")
PAGE_MAX = 100


class _Pagination(msgspec.Struct):
    next: str | None = None
    previous: str | None = None


class _Answer(msgspec.Struct, Generic[T]):
    data: tuple[T, ...]
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)


@dataclass(frozen=True)
class AsyncPage(Generic[T]):
    """One page; a subclass says where such pages are, and of what."""

    path: ClassVar[str]
    item: ClassVar[Any]
    items: tuple[T, ...]
    query: Mapping[str, str]
    after: str | None
    before: str | None

    @classmethod
    async def fetch(cls, query: Mapping[str, str], cursor: Mapping[str, str]) -> Self:
        """The page at a cursor, without one the first."""
        content = await transport.default.call("GET", cls.path, query={**query, **cursor})
        answer: _Answer[T] = read(content, _Answer[cls.item])  # type: ignore[name-defined]
        return cls(answer.data, query, answer.pagination.next, answer.pagination.previous)

    @property
    def has_next_page(self) -> bool:
        return self.after is not None

    @property
    def has_previous_page(self) -> bool:
        return self.before is not None

    async def next_page(self) -> Self | None:
        """None behind the last page."""
        return None if self.after is None else await self.fetch(self.query, {"page[after]": self.after})

    async def previous_page(self) -> Self | None:
        """None before the first page."""
        return None if self.before is None else await self.fetch(self.query, {"page[before]": self.before})


class AsyncRunPage(AsyncPage[Run]):
    path = "/api/v1/runs"
    item = Run

    @property
    def runs(self) -> tuple[Run, ...]:
        return self.items


class AsyncTokenPage(AsyncPage[TokenState]):
    path = "/api/v1/waitpoints/tokens"
    item = TokenState

    @property
    def tokens(self) -> tuple[TokenState, ...]:
        return self.items


class AsyncEventPage(AsyncPage[ListedEvent]):
    path = "/api/v1/events"
    item = ListedEvent


class AsyncBatchPage(AsyncPage[ListedBatch]):
    path = "/api/v1/batches"
    item = ListedBatch


async def first_of(page: type[AsyncPage[T]], query: Mapping[str, str | None], limit: int) -> tuple[T, ...]:
    """The first `limit` of a list, asked for a page at a time; what is None narrows nothing."""
    if limit < 1:
        raise ValueError(f"limit is at least 1, not {limit}.")
    given = {name: value for name, value in query.items() if value is not None}
    found: list[T] = []
    async for each in _from(await page.fetch({**given, "page[size]": str(min(limit, PAGE_MAX))}, {})):
        found.append(each)
        if len(found) == limit:
            break
    return tuple(found)


def date_on_wire(moment: datetime | None) -> str | None:
    """A date of a filter; raises ValueError for one without a time zone, which names no moment."""
    return None if moment is None else delay_on_wire(moment)


class AsyncRunList:
    """`async for` goes over all runs of all pages; `page` asks for the first page."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    async def page(self) -> AsyncRunPage:
        return await AsyncRunPage.fetch(self._query, {})

    async def __aiter__(self) -> AsyncIterator[Run]:
        async for run in _from(await self.page()):
            yield run


class AsyncTokenList:
    """`async for` goes over all tokens of all pages; `page` asks for the first page."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    async def page(self) -> AsyncTokenPage:
        return await AsyncTokenPage.fetch(self._query, {})

    async def __aiter__(self) -> AsyncIterator[TokenState]:
        async for token in _from(await self.page()):
            yield token


async def _from(page: AsyncPage[T] | None) -> AsyncIterator[T]:
    while page is not None:
        for item in page.items:
            yield item
        page = await page.next_page()


P = TypeVar("P", bound=AsyncPage[Any])


class _Page(Generic[P]):
    """One page of a list, for callers that cannot await."""

    def __init__(self, page: P) -> None:
        self._page = page
        self.has_next_page = page.has_next_page
        self.has_previous_page = page.has_previous_page

    def next_page(self) -> Self | None:
        """None behind the last page."""
        page = blocking(self._page.next_page)()
        return None if page is None else type(self)(page)

    def previous_page(self) -> Self | None:
        """None before the first page."""
        page = blocking(self._page.previous_page)()
        return None if page is None else type(self)(page)


class RunPage(_Page[AsyncRunPage]):
    @property
    def runs(self) -> tuple[Run, ...]:
        return self._page.runs


class TokenPage(_Page[AsyncTokenPage]):
    @property
    def tokens(self) -> tuple[TokenState, ...]:
        return self._page.tokens


class RunList:
    """Iteration goes over all runs of all pages; `page` asks for the first page."""

    def __init__(self, runs: AsyncRunList) -> None:
        self._list = runs

    def page(self) -> RunPage:
        return RunPage(blocking(self._list.page)())

    def __iter__(self) -> Iterator[Run]:
        page: RunPage | None = self.page()
        while page is not None:
            yield from page.runs
            page = page.next_page()


class TokenList:
    """Iteration goes over all tokens of all pages; `page` asks for the first page."""

    def __init__(self, tokens: AsyncTokenList) -> None:
        self._list = tokens

    def page(self) -> TokenPage:
        return TokenPage(blocking(self._list.page)())

    def __iter__(self) -> Iterator[TokenState]:
        page: TokenPage | None = self.page()
        while page is not None:
            yield from page.tokens
            page = page.next_page()
