"""What the disk was told of folders."""

import os
import stat

import pytest


def synced_folders(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files of each folder that is written to the disk from now on, as they were then."""
    folders: list[list[str]] = []

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            folders.append(os.listdir(descriptor))

    monkeypatch.setattr(os, "fsync", sync)
    return folders
