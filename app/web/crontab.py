"""Crontabs whose lines call URLs, read as jobs: what `curl` and `wget` are told there becomes a request."""

import math
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from app.web import bodies
from domain.errors import InvalidInput

LINES_MAX = 1_000
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_ELSEWHERE = re.compile(r"(?:\d*|&)>>?(.*)")
"""What redirects output; where to is behind it, or the next word."""
_SEVERAL = frozenset({"|", "||", "&&", ";", "&"})
_NAME_MAX = 128
_REDIRECTS = 10


class Line(NamedTuple):
    """A line with its number: what it is as a job, or why it is none."""

    number: int
    text: str
    job: bodies.CreateJobBody | None
    reason: str = ""


class _Said:
    """What a command line says of its request."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.method: str | None = None
        self.headers: dict[str, str] = {}
        self.data: list[str] = []
        self.fields: dict[str, Any] = {}
        self.attempts: int | None = None

    def header(self, text: str) -> None:
        name, _, value = text.partition(":")
        self.headers[name.strip()] = value.strip()

    def json(self, text: str) -> None:
        self.data.append(text)
        self.headers.setdefault("Content-Type", "application/json")

    def set_method(self, text: str) -> None:
        self.method = text

    def agent(self, text: str) -> None:
        self.headers["User-Agent"] = text

    def seconds(self, text: str) -> None:
        self.fields["timeout_seconds"] = max(1, round(_number(text)))

    def retries(self, text: str) -> None:
        self.attempts = int(_number(text)) + 1

    def follow(self) -> None:
        self.fields["max_redirects"] = _REDIRECTS

    def ignore(self, _text: str) -> None:
        """What is written elsewhere is kept here anyway."""

    def request(self) -> bodies.RequestBody:
        if len(self.urls) != 1:
            raise InvalidInput(f"it calls {len(self.urls)} URLs, and a job calls one")
        body = "&".join(self.data) if self.data else None
        if body is not None and body.startswith("@"):
            raise InvalidInput("it sends a file, which is not here")
        if body is not None:
            self.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        url = self.urls[0] if "://" in self.urls[0] else f"http://{self.urls[0]}"
        method = self.method or ("GET" if body is None else "POST")
        request = bodies.RequestBody(url, method, self.headers, **self.fields)
        if body is not None:
            request.body = bodies.text_as_json(body)
        return request


def _options(said: _Said, program: str) -> tuple[dict[str, Callable[[str], None]], dict[str, Callable[[], None]]]:
    """The options of a program that take a value, and those that take none. All others make a line unreadable."""
    if program == "curl":
        take = {
            **dict.fromkeys(("-X", "--request"), said.set_method),
            **dict.fromkeys(("-H", "--header"), said.header),
            **dict.fromkeys(("-d", "--data", "--data-raw", "--data-binary", "--data-ascii"), said.data.append),
            "--json": said.json,
            **dict.fromkeys(("-m", "--max-time"), said.seconds),
            **dict.fromkeys(("-A", "--user-agent"), said.agent),
            "--retry": said.retries,
            "--url": said.urls.append,
            **dict.fromkeys(("-o", "--output", "--connect-timeout", "--retry-delay", "-w", "--write-out"), said.ignore),
        }
        quiet = ("-s", "-S", "-f", "-q", "--silent", "--show-error", "--fail", "--compressed", "--fail-with-body")
        return take, {**dict.fromkeys(quiet, lambda: None), "-L": said.follow, "--location": said.follow}
    take = {
        "--method": said.set_method,
        "--header": said.header,
        **dict.fromkeys(("--post-data", "--body-data"), said.data.append),
        **dict.fromkeys(("-T", "--timeout"), said.seconds),
        **dict.fromkeys(("-U", "--user-agent"), said.agent),
        **dict.fromkeys(("-t", "--tries"), said.ignore),
        **dict.fromkeys(("-O", "--output-document", "-o", "--output-file"), said.ignore),
    }
    # wget follows redirects unless it is told otherwise.
    said.follow()
    return take, dict.fromkeys(("-q", "--quiet", "-nv", "--no-verbose", "--spider"), lambda: None)


def lines_of(crontab: str, timezone: str) -> Iterator[Line]:
    """What each line that says something is as a job. Raises InvalidInput for a crontab that is too long."""
    lines = crontab.splitlines()
    if len(lines) > LINES_MAX:
        raise InvalidInput(f"The crontab has {len(lines)} lines; at most {LINES_MAX} are read.")
    remark = ""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            remark = text.lstrip("# ").strip()
            continue
        assigned = _ASSIGNED.fullmatch(text)
        if assigned:
            if assigned[1] in {"CRON_TZ", "TZ"}:
                timezone = assigned[2].strip("\"' ")
            continue
        try:
            yield Line(number, text, _job_of(text, remark, timezone))
        except InvalidInput as error:
            yield Line(number, text, None, str(error))
        remark = ""


def _job_of(text: str, remark: str, timezone: str) -> bodies.CreateJobBody:
    first, _, rest = text.partition(" ")
    if first.startswith("@"):
        if first.lower() not in NICKNAMES:
            raise InvalidInput(f"there is no time called {first[:20]} here")
        times, command = NICKNAMES[first.lower()], rest
    else:
        words = text.split(None, 5)
        if len(words) < 6:
            raise InvalidInput("it has no five fields and a command behind them")
        times, command = " ".join(words[:5]), words[5]
    said = _said_by(command)
    request = said.request()
    retry = None if said.attempts is None else bodies.RetryBody(max_attempts=said.attempts)
    name = remark or f"{request.method} {request.url}"
    timing = bodies.TimingBody(cron=times, timezone=timezone)
    return bodies.CreateJobBody(name[:_NAME_MAX], "cron", request, timing, retry)


def _said_by(command: str) -> _Said:
    try:
        words = shlex.split(command.replace("\\%", "%"))
    except ValueError as error:
        raise InvalidInput(f"its quotes do not match: {error}") from None
    words = list(_without_outputs(words))
    if any(word in _SEVERAL or word.endswith(";") for word in words):
        raise InvalidInput("it runs several commands, and a job makes one call")
    said = _Said()
    program = words.pop(0).rpartition("/")[2] if words else ""
    if program.startswith(("http:", "https:")) or "://" in command.split(" ", maxsplit=1)[0]:
        said.urls.append(command.split(" ", maxsplit=1)[0])
        return said
    if program not in {"curl", "wget"}:
        raise InvalidInput(f"it runs {program[:40] or 'nothing'}, and jobs call URLs: curl and wget are understood")
    _read(words, said, program)
    return said


def _without_outputs(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        redirected = _ELSEWHERE.fullmatch(word)
        if redirected is None:
            yield word
        elif not redirected[1]:
            next(rest, None)


def _read(words: list[str], said: _Said, program: str) -> None:
    take, switch = _options(said, program)
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("-"):
            said.urls.append(word)
        elif name in take:
            take[name](value if has_value else next(rest, ""))
        elif word in switch:
            switch[word]()
        elif not word.startswith("--") and all(f"-{each}" in {*switch, *take} for each in word[1:-1]):
            # Switches in a row, of which the last may take what follows; or an option with its value behind it.
            _read_row(word, rest, take, switch, program)
        elif word[:2] in take:
            take[word[:2]](word[2:])
        else:
            raise InvalidInput(f"{program} is told {word[:40]}, which a job cannot do")


def _read_row(
    word: str,
    rest: Iterator[str],
    take: dict[str, Callable[[str], None]],
    switch: dict[str, Callable[[], None]],
    program: str,
) -> None:
    for place, letter in enumerate(word[1:], start=1):
        option = f"-{letter}"
        if option in take:
            take[option](word[place + 1 :] or next(rest, ""))
            return
        if option not in switch:
            raise InvalidInput(f"{program} is told {option}, which a job cannot do")
        switch[option]()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"{text[:20]!r} is no number")
    return min(max(number, 0.0), 1e6)
