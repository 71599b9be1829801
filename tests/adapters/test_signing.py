"""Keys to sign with are kept."""

from pathlib import Path

import pytest

from adapters.signing import make_keys
from tests.adapters.synced import synced_folders


def test_the_folder_of_new_keys_is_written_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = synced_folders(monkeypatch)

    make_keys(tmp_path / "signing.pem")

    assert [sorted(names) for names in folders] == [["signing.pem", "signing.pem.pub"]]
