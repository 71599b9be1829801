"""Hundreds of seeds keep every rule, and a seed is all that a simulation depends on."""

import os
import signal
import subprocess
import sys

import pytest

from tests.simulation.simulation import simulate


@pytest.mark.parametrize("fifty", range(4))
def test_fifty_seeds_keep_every_rule(fifty: int) -> None:
    for seed in range(50 * fifty, 50 * fifty + 50):
        simulate(seed)


def test_the_same_seed_gives_the_same_log_byte_for_byte() -> None:
    first, second = simulate(7).ledger, simulate(7).ledger

    assert first.lines == second.lines
    assert len(first.lines) > 50


def test_different_seeds_give_different_logs() -> None:
    assert len({simulate(seed).ledger.head().digest for seed in range(8)}) == 8


def test_a_replay_in_another_process_ends_with_the_same_digest() -> None:
    command = [sys.executable, "-m", "tests.simulation.replay", "7", "--quiet"]
    # Another order of sets and another hash of strings must change nothing.
    replayed = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True
    )

    assert replayed.stdout.split()[-1] == simulate(7).ledger.head().digest.hex()


def test_a_replay_ends_quietly_when_nobody_reads_on() -> None:
    command = [sys.executable, "-m", "tests.simulation.replay", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replaying:
        assert replaying.stdout
        replaying.stdout.close()
        _, said = replaying.communicate()

    assert (replaying.returncode, said) == (-signal.SIGPIPE, b"")


def test_a_replay_tells_every_step() -> None:
    steps: list[str] = []

    ledger = simulate(7, steps.append).ledger

    told = [step.split()[2] for step in steps if " ledger: " in step]
    assert told == [str(position) for position in range(1, len(ledger.records) + 1)]
