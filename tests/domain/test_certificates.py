"""Certificates that end soon: which executions make news of them, and how often."""

import hashlib
from typing import Any

from msgspec import Raw

from domain import announcing, builtin
from domain import commands as c
from domain import events as e
from domain.channel import DAY_MS
from domain.events import BlobRef, ChannelSpec
from tests.domain.jobstories import JOB, begun, execute, execution, happened, job_room, told_of
from tests.domain.stories import NOW, Room, said

CHANNEL = "alert_1"
URL = "https://example.com/told"
SUBJECT = f"job:{JOB}"


def watched(**more: Any) -> Room:
    """A room with a job, and a channel that is told of certificates alone."""
    room = job_room(None)
    given: dict[str, Any] = {"on": (announcing.CERTIFICATE,)} | more
    room.ask(c.SaveChannel, channel=CHANNEL, spec=ChannelSpec("ops", "webhook", url=URL, **given))
    room.news()
    return room


def saw(end: int | None, status: str = "SUCCESS") -> Raw:
    """What an attempt found, with a certificate that ends then."""
    certificate = "" if end is None else f',"certificateEndsAt":{end}'
    return Raw(f'{{"status":"{status}","latencyMs":1{certificate}}}'.encode())


def noted(room: Room) -> list[e.Event]:
    return [event for event in happened(room, CHANNEL) if isinstance(event, e.CertificateEnding)]


def warnings(room: Room) -> list[str]:
    """The executions of which it was told that they saw a certificate that ends soon."""
    return [run for _, type_, run in told_of(room) if type_ == "certificate.ending"]


def test_a_certificate_is_told_of_when_it_ends_within_the_days_of_the_channel() -> None:
    room = watched(certificate_days=3)
    execute(room, "run_1", "succeeded", output=saw(NOW + 3 * DAY_MS + 1))
    assert noted(room) == []

    execute(room, "run_2", "succeeded", output=saw(NOW + 3 * DAY_MS))

    assert noted(room) == [e.CertificateEnding(SUBJECT, "run_2", NOW + 3 * DAY_MS)]
    assert warnings(room) == ["run_2"]


def test_each_certificate_is_told_of_once_also_after_a_restart() -> None:
    room, end = watched(), NOW + DAY_MS
    for run in ("run_1", "run_2"):
        execute_only(room, run, end)
    room.restart()
    execute_only(room, "run_3", end)
    assert warnings(room) == ["run_1"]

    execute_only(room, "run_4", end + 1)
    execute_only(room, "run_5", end)

    assert warnings(room) == ["run_1", "run_4"]


def execute_only(room: Room, run: str, end: int) -> None:
    """An execution that sees this certificate, whatever else there is to execute."""
    room.ask(c.TriggerRuns, runs=[execution(run)])
    executor = room.hire()
    while (hand := begun(executor)).run != run:
        executor.turn(said(hand, "succeeded"), version=builtin.VERSION, patient=False)
    executor.turn(said(hand, "succeeded", output=saw(end)), version=builtin.VERSION, patient=False)


def test_an_execution_that_failed_saw_it_too() -> None:
    room = watched()

    execute(room, "run_1", "failed", output=saw(NOW, "HTTP_ERROR"))

    assert warnings(room) == ["run_1"]


def test_what_is_kept_beside_the_ledger_is_looked_at_too() -> None:
    room, found = watched(), bytes(saw(NOW))
    room.ask(c.TriggerRuns, runs=[execution("run_1")])
    executor = room.hire()
    blob = BlobRef("run_1/output/1", hashlib.sha256(found).hexdigest(), len(found))
    report = said(begun(executor), "succeeded", output_blob=blob)

    executor.turn(report, version=builtin.VERSION, patient=False, blobs={blob.key: found})

    assert warnings(room) == ["run_1"]


def test_without_a_certificate_or_a_channel_for_it_nothing_is_told() -> None:
    plain, others = watched(), watched(on=(announcing.RECOVERY,))
    for room, end in ((plain, None), (others, NOW)):
        execute(room, "run_1", "succeeded", output=saw(end))

    assert told_of(plain) == told_of(others) == []


def test_a_warning_waits_with_other_alerts_for_their_digest() -> None:
    room = watched(on=announcing.ALERT_KINDS, digest_ms=60_000)
    execute(room, "run_1", "failed", output=saw(NOW, "HTTP_ERROR"))

    held = [event for event in happened(room, CHANNEL) if isinstance(event, e.AlertHeld)]
    assert held == [e.AlertHeld("certificate.ending", SUBJECT, "ping", "run_1")]
