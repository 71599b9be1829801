"""What a message says that tells of several alerts at once: made from the events of their channel."""

from collections.abc import Sequence
from typing import Any

from domain import states
from domain.announcing import CERTIFICATE_ENDING, JOB_PAUSED, SUMMARY
from domain.channel import Channel
from domain.durations import iso
from domain.events import AlertHeld, AlertsSummed, AlertTold, Recorded

LINES_MAX = 100
"""So many tasks and jobs are told one by one; how many alerts there were of the others is told as one number."""


def summary_of(history: Sequence[Recorded]) -> dict[str, Any]:
    """What waited up to the last of these events: how many alerts of which type there were of which task or job."""
    channel = states.fold(history)
    assert isinstance(channel, Channel), "a summary is of a channel"
    held = _held_before(history[:-1])
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for alert in held:
        kind, _, name = alert.subject.partition(":")
        of_what = {"job": {"id": name, "name": alert.name}} if kind == "job" else {"task": name}
        last = {"last_execution" if kind == "job" else "last_run": alert.run}
        line = found.setdefault((alert.type, alert.subject), {"type": alert.type, **of_what, "count": 0, **last})
        line["count"] += 1
    lines = sorted(found.values(), key=lambda line: -line["count"])[:LINES_MAX]
    told = sum(line["count"] for line in lines)
    data = {
        "channel": {"id": channel.id, "name": channel.spec.name},
        "count": len(held),
        "alerts": lines,
        "others": len(held) - told,
    }
    return {"type": SUMMARY, "timestamp": iso(history[-1].recorded_at), "data": data}


def mail_of_summary(data: dict[str, Any]) -> tuple[str, str]:
    """The subject and the text of an e-mail that says the same."""
    count, name = data["count"], " ".join(data["channel"]["name"].split())
    alerts = f"{count} alert{'' if count == 1 else 's'}"
    lines = [f"{alerts} of channel {name} since the last message.", ""]
    for line in data["alerts"]:
        who = f"Job {line['job']['name']}" if "job" in line else f"Task {line['task']}"
        last = line.get("last_execution") or line["last_run"]
        lines.append(f"{line['count']} x {who} {what_happened(line['type'])}, at last {last}")
    if data["others"]:
        lines.append(f"{data['others']} x others")
    return f"{alerts} of channel {name}", "\n".join(lines) + "\n"


def what_happened(type_: str) -> str:
    """What the task or job of an alert of this type did."""
    if type_ == CERTIFICATE_ENDING:
        return "calls a server whose certificate ends soon"
    return "paused itself" if type_ == JOB_PAUSED else type_.partition(".")[2]


def _held_before(history: Sequence[Recorded]) -> list[AlertHeld]:
    """The alerts that wait after these events, the latest first."""
    held: list[AlertHeld] = []
    for recorded in reversed(history):
        match recorded.event:
            case AlertHeld() as alert:
                held.append(alert)
            case AlertTold() | AlertsSummed():
                break
            case _:
                pass
    return held
