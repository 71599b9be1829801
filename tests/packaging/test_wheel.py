"""The wheel as users get it: one import name, and an engine that their own folders cannot disturb."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORLD = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}  # nothing that would lead to the checkout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that has our wheel and borrows the libraries it needs from the one that runs the tests."""
    home = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", home, ROOT, cwd=home)
    [wheel] = home.glob("*.whl")
    environment = home / "environment"
    venv.create(environment, with_pip=False)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python")
    _run(*pip, "install", "--no-index", "--no-deps", wheel, cwd=home)
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (_site_packages(environment) / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return environment


@pytest.fixture
def users_folder(tmp_path: Path) -> Path:
    """A project that has packages named like two of the engine's rooms."""
    for name in ("app", "domain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "__main__.py").write_text("raise SystemExit('this is the program of the user')")
    return tmp_path


def test_site_packages_get_the_sdk_and_nothing_else(installed: Path) -> None:
    names = {path.name for path in _site_packages(installed).iterdir()}

    assert names == {"runfold", "runfold-0.1.0.dist-info", "borrowed.pth"}


def test_the_wheel_carries_every_room_and_the_promise_of_types(installed: Path) -> None:
    package = _site_packages(installed) / "runfold"
    rooms = {path.name for path in (package / "_engine").iterdir()}

    assert rooms == {"domain", "projections", "adapters", "app"}
    assert (package / "py.typed").is_file()


def test_the_wheel_carries_the_pages_with_all_that_they_are_made_of(installed: Path) -> None:
    package, pages = _site_packages(installed) / "runfold" / "_engine", Path("app/pages")
    there = {str(path.relative_to(package)) for path in (package / pages).rglob("*.*")}
    here = {str(path.relative_to(ROOT)) for path in (ROOT / pages).rglob("*.*")}

    assert {name for name in here if "__pycache__" not in name} == {name for name in there if "__pycache__" not in name}
    assert {"app/pages/static/htmx.LICENSE.txt", "app/pages/templates/parts/run_rows.html"} <= there


@pytest.mark.parametrize("python_path", [None, "."])
def test_the_command_starts_the_engine_where_the_user_has_an_app(
    installed: Path, users_folder: Path, python_path: str | None
) -> None:
    world = WORLD if python_path is None else WORLD | {"PYTHONPATH": python_path}

    answer = _run(installed / "bin" / "runfold", "--help", cwd=users_folder, env=world)

    assert "Usage: runfold" in answer


def test_users_import_their_own_packages(installed: Path, users_folder: Path) -> None:
    script = "import app, domain, runfold; print(app.__file__, domain.__file__, runfold.__file__, sep='\\n')"

    answer = _run(installed / "bin" / "python", "-c", script, cwd=users_folder)

    assert answer.splitlines() == [
        str(users_folder / "app" / "__init__.py"),
        str(users_folder / "domain" / "__init__.py"),
        str(_site_packages(installed) / "runfold" / "__init__.py"),
    ]


def test_a_worker_imports_the_users_packages(installed: Path, users_folder: Path) -> None:
    (users_folder / "jobs.py").write_text("import app; print(app.__file__); raise SystemExit")

    answer = _run(installed / "bin" / "runfold", "worker", "jobs.py", cwd=users_folder)

    assert answer == f"{users_folder / 'app' / '__init__.py'}\n"


def test_pytest_finds_the_fixtures_and_they_find_the_engine(installed: Path, users_folder: Path) -> None:
    (users_folder / "jobs.py").write_text(
        "import app\nfrom runfold import task\n\n@task\nasync def whose(_: None) -> str:\n    return app.__file__"
    )
    (users_folder / "test_jobs.py").write_text(
        "from jobs import whose\nfrom runfold.testing import finished\n\n"
        "def test_whose(runfold_worker, runfold_clock):\n"
        "    handle = whose.trigger(None, delay='1d')\n"
        "    runfold_clock.advance('1d')\n"
        f"    assert finished(handle).output == {str(users_folder / 'app' / '__init__.py')!r}"
    )

    answer = _run(installed / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", cwd=users_folder)

    assert "1 passed" in answer


def test_users_without_pytest_can_import_all_but_the_plugin(installed: Path, users_folder: Path) -> None:
    script = "import sys; sys.modules['pytest'] = None; from runfold.testing import Clock; print(Clock.__name__)"

    assert _run(installed / "bin" / "python", "-c", script, cwd=users_folder) == "Clock\n"


@pytest.mark.parametrize("room", ["domain", "projections", "adapters", "app"])
def test_no_room_can_be_imported(installed: Path, tmp_path: Path, room: str) -> None:
    script = f"import importlib.util; print(importlib.util.find_spec({room!r}))"

    answer = _run(installed / "bin" / "python", "-c", script, cwd=tmp_path)

    assert answer == "None\n"


def _run(*command: str | Path, cwd: Path, env: dict[str, str] = WORLD) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _site_packages(environment: Path) -> Path:
    [folder] = environment.glob("lib/python*/site-packages")
    return folder
