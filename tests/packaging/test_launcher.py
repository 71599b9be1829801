"""The command `runfold`: which program it becomes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runfold import engine, worker


def test_a_worker_runs_in_this_process_and_can_import_the_users_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], str]] = []

    def note_the_start(argv: list[str]) -> int:
        started.append((argv, sys.path[0]))
        return 3

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["runfold", "worker", "tasks.py", "--verbose"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(worker, "main", note_the_start)

    with pytest.raises(SystemExit) as end:
        engine.main()

    assert (started, end.value.code) == ([(["tasks.py", "--verbose"], str(tmp_path))], 3)


def test_the_engine_takes_the_place_of_its_launcher(tmp_path: Path) -> None:
    """A service manager that signals the process it started reaches the engine."""
    shutil.copytree(Path(engine.__file__).parent, tmp_path / "runfold")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "__main__.py").write_text("import os, sys; print(os.getpid(), sys.argv[1:])")
    launch = [sys.executable, "-c", "from runfold.engine import main; main()", "serve", "--port", "1"]

    with subprocess.Popen(launch, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        answer, _ = process.communicate()

    assert answer == f"{process.pid} ['serve', '--port', '1']\n"
