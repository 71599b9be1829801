"""The page on the format is true: its example checks an export, and refuses one that was changed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.transfer import copying
from app.transfer.lines import BlobLine, EventLine, Header, Totals
from domain.events import TagsAdded
from tests.app.transfers import BLOBS, DELIVERED, EVENTS, LARGE, LEDGERS, believed, erase, erase_run, exported, fill

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "export-format.md").read_text(encoding="utf-8")
[CHECK] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def export(tmp_path: Path) -> bytes:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        fill(ledger, EVENTS, BLOBS)
        return exported(ledger)


def test_the_example_checks_an_export(export: bytes, tmp_path: Path) -> None:
    head = json.loads(export.splitlines()[0])["head"]

    done = _check(export, tmp_path)

    assert done.stdout == f"{head['position']} {head['digest']}\n", done.stderr


def test_the_example_checks_an_export_whose_value_was_erased(tmp_path: Path) -> None:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        fill(ledger, EVENTS, BLOBS)
        erase(ledger, "run_2/payload")

        done = _check(exported(ledger), tmp_path)

    assert done.stdout.startswith("4 "), done.stderr


def test_the_example_checks_an_export_with_a_payload_that_runs_share(tmp_path: Path) -> None:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        fill(ledger, DELIVERED, {"event_1/payload": LARGE})

        done = _check(exported(ledger), tmp_path)

    assert done.stdout.startswith("4 "), done.stderr


@pytest.mark.parametrize("change", [(b"env_1", b"env_2"), (b"AAEC", b"AAED"), (b'"events":4', b'"events":5')])
def test_the_example_refuses_what_was_changed(export: bytes, tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    done = _check(export.replace(*change), tmp_path)

    assert done.returncode == 1
    assert "AssertionError" in done.stderr


def test_the_example_refuses_a_file_that_was_cut_off(export: bytes, tmp_path: Path) -> None:
    *lines, _end = export.splitlines(keepends=True)

    assert _check(b"".join(lines), tmp_path).returncode == 1


@pytest.mark.parametrize(("struct", "section"), [(Header, "The first line"), (EventLine, '`"line":"event"`')])
def test_every_field_of_a_line_is_told(struct: type[Header | EventLine], section: str) -> None:
    told = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == list(struct.__struct_fields__)


def test_every_field_of_values_and_of_the_end_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))

    assert told.issuperset({*BlobLine.__struct_fields__, *Totals.__struct_fields__})


def _check(export: bytes, folder: Path) -> "subprocess.CompletedProcess[str]":
    file = folder / "ledger.jsonl"
    file.write_bytes(export)
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-c", CHECK, file], capture_output=True, text=True, check=False, timeout=30
    )


def test_the_example_checks_an_event_whose_values_were_erased_by_its_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        fill(ledger, EVENTS, BLOBS)
        erase_run(ledger, "run_1")
        export = exported(ledger)

    done = _check(export, tmp_path)
    other = _check(export.replace(b'"seals":{"1":"', b'"seals":{"2":"'), tmp_path)
    cut = _check(export.replace(b'"task":"greet"', b'"task":"gr33t"', 1), tmp_path)
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        fill(ledger, EVENTS, BLOBS)
        erase_run(ledger, "run_1", left=TagsAdded(("erasure_1",)))
        monkeypatch.setattr(copying, "digest_behind", believed)
        unsaid = _check(exported(ledger), tmp_path)

    assert done.stdout.startswith("6 "), done.stderr
    assert "AssertionError" in other.stderr
    assert "AssertionError: event 1 was not erased as erasure_1 says" in unsaid.stderr
    assert "AssertionError: event 1 was not erased as erasure_1 says" in cut.stderr
