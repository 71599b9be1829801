"""Bodies about schedules."""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from app.newruns.asked import TriggerOptions
from app.values import absent
from app.web.bodies.reading import StrictBody


class ScheduleBody(Struct, rename="camel"):
    """All of a schedule that can be said; null is the same as absent. One of `cron`, `every` and `at` is its timing.

    Durations are written like `30s`, moments as ISO 8601 dates.
    """

    task: str
    cron: str | None = None
    timezone: str | None = None
    every: int | None = None
    every_from: Literal["epoch", "creation"] | None = None
    at: str | None = None
    deduplication_key: str | None = None
    external_id: str | None = None
    start_at: str | None = None
    end_at: str | None = None
    jitter: str | None = None
    dst_gap: Literal["run_after", "skip"] | None = None
    dst_fold: Literal["first", "both"] | None = None
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] | None = None
    catch_up: Literal["latest", "all", "none"] | None = None
    catch_up_window: str | None = None
    catch_up_max: int | None = None
    payload: Raw = msgspec.field(default_factory=absent)
    options: TriggerOptions | None = None


class BackfillBody(StrictBody, rename="camel"):
    """Between which moments, both included, the ticks that have no run are to get one."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
