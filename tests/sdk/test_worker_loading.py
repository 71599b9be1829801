"""From the command line's target to tasks."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runfold import declaring
from runfold.worker.loading import TargetError, load, load_or_explain


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to start in, and a process without tasks or modules of other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(declaring, "_made", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(folder: Path, name: str, *lines: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(["from runfold import task", *lines]))


def test_a_file_brings_its_tasks_and_those_it_imports(folder: Path) -> None:
    write(folder, "jobs_a.py", "import jobs_b", "@task", "def send(): ...")
    write(folder, "jobs_b.py", "@task(id='receive')", "async def r(): ...")

    assert list(load("jobs_a.py")) == ["receive", "send"]


def test_a_file_in_another_folder_finds_its_neighbours(folder: Path) -> None:
    write(folder, "shop/jobs_c.py", "from jobs_d import receive", "@task", "def send(): ...")
    write(folder, "shop/jobs_d.py", "@task", "def receive(): ...")

    assert list(load("shop/jobs_c.py")) == ["receive", "send"]


def test_a_module_is_found_from_the_present_folder(folder: Path) -> None:
    write(folder, "shop_e/__init__.py")
    write(folder, "shop_e/jobs.py", "@task", "def send(): ...")

    assert list(load("shop_e.jobs")) == ["send"]


def test_two_tasks_with_one_id_are_both_named(folder: Path) -> None:
    write(folder, "jobs_f.py", "import jobs_g", "@task(id='send')", "def one(): ...")
    write(folder, "jobs_g.py", "@task(id='send')", "def other(): ...")

    with pytest.raises(TargetError, match=r"'send'.*jobs_g\.other.*jobs_f\.one"):
        load("jobs_f.py")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("nowhere.py", r"There is no file nowhere\.py\."),
        ("nowhere", "There is no module 'nowhere'"),
        ("json.py", r"json\.py cannot be imported as 'json'"),
        ("my-jobs.py", r"my-jobs\.py cannot be imported as 'my-jobs'"),
        ("empty.py", r"empty\.py defines no tasks"),
    ],
)
def test_it_says_why_there_is_nothing_to_load(folder: Path, target: str, sentence: str) -> None:
    for name in ("json.py", "my-jobs.py", "empty.py"):
        write(folder, name)

    with pytest.raises(TargetError, match=sentence):
        load(target)


def test_a_wrong_annotation_is_known_before_the_first_run(folder: Path) -> None:
    write(folder, "jobs_h.py", "@task", "def send(payload: 'Nobody'): ...")

    with pytest.raises(TypeError, match="An annotation of send cannot be looked up: name 'Nobody' is not defined"):
        load("jobs_h.py")


def test_an_error_in_the_code_is_the_users_own(folder: Path) -> None:
    write(folder, "jobs_i.py", "1 / 0")

    with pytest.raises(ZeroDivisionError):
        load("jobs_i.py")


@pytest.mark.parametrize(
    ("code", "last"), [("1 / 0", "ZeroDivisionError: division by zero"), ("no Python", "SyntaxError: invalid syntax")]
)
def test_an_error_in_the_code_is_told_from_that_code_on(folder: Path, code: str, last: str) -> None:
    write(folder, "jobs_j.py", "import jobs_k")
    write(folder, "jobs_k.py", code)

    with pytest.raises(TargetError) as caught:
        load_or_explain("jobs_j.py")

    first, *_, end = str(caught.value).splitlines()
    assert (first, end) == ("jobs_j.py cannot be imported.", last)
    assert re.findall(r'File ".*/(.*)"', str(caught.value)) == ["jobs_j.py", "jobs_k.py"]
