"""The disk knows of every folder that is made."""

from pathlib import Path

import pytest

from adapters.folders import make_folders
from tests.adapters.synced import synced_folders


def test_each_new_folder_is_written_to_the_disk_in_the_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = synced_folders(monkeypatch)

    make_folders(tmp_path / "a" / "b" / "c")

    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert folders == [["a"], ["b"], ["c"]]


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = synced_folders(monkeypatch)

    make_folders(tmp_path)

    assert folders == []


def test_a_folder_beside_the_program_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    make_folders(Path("data"))

    assert (tmp_path / "data").is_dir()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "file" / "below" / "it")
