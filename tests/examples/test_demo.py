"""`make demo`, on a small folder instead of the whole standard library."""

import json
import re
import sysconfig
import tempfile
from pathlib import Path

from adapters.sqlite.ledger import SqliteLedger
from tests.cli.installation import ROOT, Installation

DEMO = ROOT / "examples" / "stdlib_index" / "demo.py"
FEW_MODULES = Path(sysconfig.get_path("stdlib")) / "json"
BROKEN_WORKER = """\
import sys
from runfold.engine import main
sys.exit("No tasks today.") if sys.argv[1] == "worker" else main()
"""


def test_the_demo_shows_what_it_says_and_the_commands_that_it_ends_with_work(
    installation: Installation, tmp_path: Path
) -> None:
    shown = demo(installation, tmp_path)[0]
    [start, *commands] = re.findall(r"^  runfold (.+)$", shown, re.MULTILINE)
    folder = folder_of_the_demo(tmp_path)

    with installation.start(start, cwd=folder, RUNFOLD_PORT="0") as engine:
        address = engine.line().split()[-1]
        answers = [
            installation.run(*command.split(), "--json", cwd=folder, RUNFOLD_API_URL=address).stdout
            for command in commands
        ]

    assert re.findall(r"│ (\S+) +│ (\w+) +│ +(\d+) │", shown) == [
        ("fail-first-attempt-by-design", "COMPLETED", "1"),
        ("index-module", "COMPLETED", str(len([*FEW_MODULES.glob("*.py")]))),
        ("index-module", "FAILED", "3"),
    ]
    assert len(re.findall(r"^│ truncated\.\w+ +│ \w+Error: ", shown, re.MULTILINE)) == 3
    assert "error=RuntimeError: The first attempt of this task fails by design; the second one succeeds." in shown
    assert "the read models equal it, row for row" in shown
    assert {*re.findall(r"^  cd (.+)$", shown, re.MULTILINE)} == {str(folder)}
    failed, one_of_them, history = map(json.loads, answers)
    assert [run["status"] for run in failed] == ["FAILED"] * 3
    assert one_of_them["id"] in {run["id"] for run in failed}
    assert history[-1]["type"] == "AttemptSucceeded"


def test_the_demo_on_postgresql_leaves_nothing_behind(installation: Installation) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, the database runs as somebody else

        shown, _ = demo(installation, folder, 0, "--database", "postgres")

        assert "This PostgreSQL was here for the demo only, and is gone." in shown
        assert [*folder.glob("runfold-*")] == []


def test_the_demo_fails_when_its_worker_does_and_leaves_nothing_running(
    installation: Installation, tmp_path: Path
) -> None:
    launcher = installation.bin / "runfold"
    launcher.write_text(f"{launcher.read_text().splitlines()[0]}\n{BROKEN_WORKER}")

    _, error = demo(installation, tmp_path, code=1)

    assert error == "The demo failed: The worker ended with code 1.\nNo tasks today.\n\n"
    # It could not be opened for writing while an engine has it.
    SqliteLedger(folder_of_the_demo(tmp_path) / ".runfold" / "ledger.db").close()


def test_the_demo_says_that_it_needs_an_installation(installation: Installation, tmp_path: Path) -> None:
    (installation.bin / "runfold").unlink()

    _, error = demo(installation, tmp_path, code=1)

    assert error.startswith(f"The demo failed: There is no {installation.bin / 'runfold'}: ")


def demo(installation: Installation, folder: Path, code: int = 0, *options: str) -> tuple[str, str]:
    """What it shows, and what it says on standard error."""
    done = installation.run(
        *(str(DEMO), str(FEW_MODULES), *options),
        cwd=folder,
        code=code,
        program="python",
        TMPDIR=str(folder),
        COLUMNS="120",
    )
    return done.stdout, done.stderr


def folder_of_the_demo(parent: Path) -> Path:
    [folder] = parent.glob("runfold-demo-*")
    return folder
