"""What the README and the tutorial say, done as written."""

import re
import subprocess
from pathlib import Path

from tests.cli.installation import PATIENCE_SECONDS, ROOT, Installation, developing

README = (ROOT / "README.md").read_text()
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()


def test_the_example_of_the_readme_runs(installation: Installation, tmp_path: Path) -> None:
    [example] = blocks(README, "python")
    (tmp_path / "greet.py").write_text(example)

    with developing(installation, tmp_path, "greet.py") as project:
        shown = shell(
            installation,
            tmp_path,
            project.started["url"],
            "python greet.py; runfold runs trigger greet '\"Bob\"' --wait",
        )

    assert re.fullmatch(r"run_[0-9a-f]{32}", shown.splitlines()[0])
    assert 'output    "Hello, Bob!"' in shown


def test_the_proof_of_the_readme_is_checked(installation: Installation, tmp_path: Path) -> None:
    [example] = blocks(README, "python")
    (tmp_path / "greet.py").write_text(example)
    [commands] = [block for block in blocks(README, "sh") if "runfold prove" in block]

    with developing(installation, tmp_path, "greet.py") as project:
        shown = shell(
            installation,
            tmp_path,
            project.started["url"],
            "RUN=$(runfold runs trigger greet '\"Ada\"')\n" + re.sub(r"\bRUN\b", '"$RUN"', commands),
        )

    assert "RunTriggered" in shown


def test_the_job_of_the_readme_has_a_run_at_once(installation: Installation, tmp_path: Path) -> None:
    [example] = blocks(README, "python")
    (tmp_path / "greet.py").write_text(example)
    [block] = [block for block in blocks(README, "sh") if "runfold jobs add" in block]
    # Whether anything listens there does not matter to the list.
    _, add, *rest = block.splitlines()
    script = f"JOB=$({add})\nJOB=${{JOB%% *}}\n" + re.sub(r"\bJOB\b", '"$JOB"', "\n".join(rest))

    with developing(installation, tmp_path, "greet.py") as project:
        shown = shell(installation, tmp_path, project.started["url"], script)

    execution, _, *runs = shown.splitlines()
    assert re.fullmatch(r"run_[0-9a-f]{32}", execution)
    assert any(run.startswith(f"{execution}  runfold/http ") for run in runs)


def test_the_tutorial_runs_as_written(installation: Installation, tmp_path: Path) -> None:
    tasks, program = blocks(TUTORIAL, "python")
    [start, *commands] = blocks(TUTORIAL, "sh")
    (tmp_path / "hello.py").write_text(tasks)
    (tmp_path / "ask.py").write_text(program)
    assert start == "runfold dev hello.py\n"

    with developing(installation, tmp_path, "hello.py") as project:
        shown = shell(installation, tmp_path, project.started["url"], "".join(commands))

    assert 'output    "Hello, Ada!"' in shown
    assert "error=ConnectionError: The first attempt fails by design." in shown
    assert 'InvalidPayload: $: "name" is a required property' in shown
    assert "No version knows the task great yet." in shown
    assert "the read models equal it" in shown
    assert "COMPLETED Hallo, Grace!" in shown
    assert "  tutorial\n" in shown


def test_the_tutorial_has_the_tasks_of_the_example() -> None:
    assert blocks(TUTORIAL, "python")[0] == (ROOT / "examples" / "hello.py").read_text()


def test_links_lead_to_files() -> None:
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        targets = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())

        assert [target for target in targets if not (page.parent / target).exists()] == []


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def shell(installation: Installation, folder: Path, address: str, script: str) -> str:
    """What a shell says in the second terminal, which stops at the first command that fails."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=folder,
        env=installation.world(RUNFOLD_API_URL=address),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
