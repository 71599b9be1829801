"""Lists of runs, a page at a time: asked for by awaiting, and the same without."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from runfold import transport
from runfold.blocking import blocking
from runfold.run import Run


class _Pagination(msgspec.Struct):
    next: str | None = None
    previous: str | None = None


class _Answer(msgspec.Struct):
    data: tuple[Run, ...]
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)


@dataclass(frozen=True)
class AsyncRunPage:
    runs: tuple[Run, ...]
    query: Mapping[str, str]
    after: str | None
    before: str | None

    @property
    def has_next_page(self) -> bool:
        return self.after is not None

    @property
    def has_previous_page(self) -> bool:
        return self.before is not None

    async def next_page(self) -> "AsyncRunPage | None":
        """None behind the last page."""
        return None if self.after is None else await _fetch(self.query, {"page[after]": self.after})

    async def previous_page(self) -> "AsyncRunPage | None":
        """None before the first page."""
        return None if self.before is None else await _fetch(self.query, {"page[before]": self.before})


class AsyncRunList:
    """`async for` goes over all runs of all pages; `page` asks for the first page."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    async def page(self) -> AsyncRunPage:
        return await _fetch(self._query, {})

    async def __aiter__(self) -> AsyncIterator[Run]:
        page: AsyncRunPage | None = await self.page()
        while page is not None:
            for run in page.runs:
                yield run
            page = await page.next_page()


async def _fetch(query: Mapping[str, str], cursor: Mapping[str, str]) -> AsyncRunPage:
    content = await transport.default.call("GET", "/api/v1/runs", query={**query, **cursor})
    answer = msgspec.json.decode(content, type=_Answer)
    return AsyncRunPage(answer.data, query, answer.pagination.next, answer.pagination.previous)


class RunPage:
    """One page of a list."""

    def __init__(self, page: AsyncRunPage) -> None:
        self._page = page
        self.runs = page.runs
        self.has_next_page = page.has_next_page
        self.has_previous_page = page.has_previous_page

    def next_page(self) -> "RunPage | None":
        """None behind the last page."""
        page = blocking(self._page.next_page)()
        return None if page is None else RunPage(page)

    def previous_page(self) -> "RunPage | None":
        """None before the first page."""
        page = blocking(self._page.previous_page)()
        return None if page is None else RunPage(page)


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
