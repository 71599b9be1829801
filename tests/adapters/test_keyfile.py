"""The key file beside a database."""

import random
import stat
from pathlib import Path

import pytest

from adapters.keyfile import KeyFile
from adapters.secrets import KEY_BYTES, MasterKey
from domain.errors import KeyMissing
from tests.adapters.synced import synced_folders

ONE = MasterKey(bytes([1]) * KEY_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db.key"


def key_file(path: Path, seed: int = 1) -> KeyFile:
    return KeyFile(path, random.Random(seed).randbytes)


def test_looking_for_a_key_makes_none(path: Path) -> None:
    assert key_file(path).find() is None
    assert not path.exists()


def test_the_key_is_made_once_for_its_owner_alone(path: Path) -> None:
    made = key_file(path).make()

    assert path.read_text() == f"{made.text}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    found = key_file(path, seed=2).find()
    assert found is not None
    assert found.text == made.text


def test_the_folder_of_a_new_key_is_written_to_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = synced_folders(monkeypatch)

    key_file(path).make()

    assert folders == [[path.name]]


def test_a_key_that_another_made_meanwhile_is_not_replaced(path: Path) -> None:
    mine = key_file(path)
    assert mine.find() is None
    path.write_text(f"{ONE.text}\n")

    assert mine.make().text == ONE.text
    assert path.read_text() == f"{ONE.text}\n"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_crash_left_half_written_is_no_key(path: Path) -> None:
    first = key_file(path)
    first.make()
    path.unlink()
    (path.parent / f"{path.name}.1.part").write_text("0102")

    assert key_file(path).find() is None


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff\xfe", b"00" * 31])
def test_a_file_without_a_key_is_named_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(KeyMissing) as refusal:
        key_file(path).find()

    assert str(refusal.value) == f"The key file {path} cannot be used: it holds no encryption key."
    assert path.read_bytes() == content


def test_where_no_file_can_be_written_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "ledger.db.key"

    with pytest.raises(KeyMissing, match=r"ledger\.db\.key cannot be written: No such file or directory"):
        key_file(path).make()


def test_a_file_that_cannot_be_read_is_said(path: Path) -> None:
    path.mkdir()

    with pytest.raises(KeyMissing, match="cannot be used: Is a directory"):
        key_file(path).find()
