"""Templates to pages. Whatever is put into them is text, and browsers are told to run nothing but our own files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse

from app.pages import words
from app.pages.assets import asset
from app.pages.moment import NOW
from runfold.counting import counted

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # What is on a page is for whoever is signed in now.
    "cache-control": "no-store",
}


def _environment() -> Environment:
    # What is undefined counts as nothing, because the API leaves out what there is none of.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    known = cast("dict[str, Any]", environment.globals)
    # Parts of pages that follow what happens look at no moment of the past.
    known.update(asset=asset, tone=words.tone, moments=words.moments, pages=words.PAGES, moment=NOW)
    filters: dict[str, Any] = {
        "word": words.word,
        "duration": words.duration,
        "many": words.many,
        "counted": counted,
        "cut": words.cut,
        "short": words.short,
        "clock": words.clock,
        "segment": words.segment,
    }
    environment.filters.update(filters)
    return environment


_TEMPLATES = _environment()


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template."""
    return _TEMPLATES.get_template(template).render(values)


def html(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A page, or a part of one."""
    return HTMLResponse(render(template, values), status, HEADERS)
