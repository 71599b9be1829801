"""The keys of single requests: where each stands, and which of them may stand there already.

A key stands in a stream of the hour in which it is claimed, and for an hour. So it is in one of two streams as long as
it counts, and no stream is claimed twice. All claims go through the one writer, which does not look up what it knows
that it has not seen: see ADR 52.
"""

from collections.abc import Iterator

HOUR_MS = 3_600_000
"""How long the same request is known again, and how long the keys of one hour are."""
_BITS = 2**25
_PROBES = 3


def stream_in(hour: int, request: str) -> str:
    """The stream of a request's key that is claimed in this hour, counted from 1970."""
    kind, _, name = request.partition("_")
    return f"{kind}_{hour:x}_{name}"


def request_in(stream: str) -> str:
    """The key's name, of the name that `stream_in` gave."""
    kind, _, name = stream.split("_", 2)
    return f"{kind}_{name}"


class RequestKeys:
    """Which keys were claimed in this hour and the one before, as far as they are known."""

    def __init__(self) -> None:
        self.since = 0
        """From when on (milliseconds) all claims are known."""
        self._hours: dict[int, _Seen] = {}

    def note(self, request: str, at: int) -> None:
        """This key was claimed at that time (milliseconds). Times never go backwards."""
        hour = at // HOUR_MS
        if hour not in self._hours:
            self._hours = {each: seen for each, seen in self._hours.items() if each >= hour - 1}
            self._hours[hour] = _Seen()
        self._hours[hour].add(request)

    def possible(self, request: str, at: int) -> Iterator[str]:
        """The streams in which the key may stand if it counts at this time; in the others it certainly does not."""
        now = at // HOUR_MS
        for hour in (now, now - 1):
            seen = self._hours.get(hour)
            if hour * HOUR_MS < self.since or (seen is not None and request in seen):
                yield stream_in(hour, request)


class _Seen:
    """A Bloom filter: what was added is in it, and little else. 4 MB; of a million others it takes 0.06 % for known."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)

    def add(self, text: str) -> None:
        for place in _places(text):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, text: str) -> bool:
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(text))


def _places(text: str) -> Iterator[int]:
    # Python's own hash has a secret of the process: nobody can choose keys that collide.
    first = hash(text)
    yield first % _BITS
    step = first >> 32 | 1
    for number in range(1, _PROBES):
        yield (first + number * step) % _BITS
