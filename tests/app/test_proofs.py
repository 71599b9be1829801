"""Proofs of runs: whoever has the public key finds each change, of an event, of a path or of what was signed."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from adapters.merkle import leaf_hash
from adapters.signing import make_keys, private_key, public_key
from adapters.tombstones import content_of
from app.history import checkpoints, proofs
from app.history.checkpoints import (
    CheckpointFile,
    WrongCheckpoint,
    check_signature,
    make_checkpoint,
    misfits,
    read_checkpoint,
)
from app.history.proofs import WrongProof, check_proof, prove
from domain.errors import InvalidInput, KeyMissing, LedgerCorrupt, NotAllowed, NotFound
from domain.ports import START, CopyableLedger
from tests.adapters.ledgers import triggered
from tests.app.transfers import BLOBS, EVENTS, LEDGERS, erase_run, fill

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "prove-what-happened.md"
NOW = 1_800_000_000_000


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS[request.param](tmp_path) as ledger:
        yield ledger


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        yield ledger


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "signing.pem")
    return tmp_path / "signing.pem"


def signed(ledger: CopyableLedger, keys: Path) -> CheckpointFile:
    return make_checkpoint(ledger, private_key(keys), NOW, lambda _: None)


def public(keys: Path) -> Path:
    return keys.with_name("signing.pem.pub")


@pytest.mark.parametrize("segment", [1, 2, 4_096])
def test_a_run_is_proved_by_its_events_and_a_public_key(
    ledger: CopyableLedger, keys: Path, segment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SEGMENT", segment)
    monkeypatch.setattr(proofs, "SEGMENT", segment)
    fill(ledger, EVENTS, BLOBS)
    checkpoint = read_checkpoint(msgspec.json.encode(signed(ledger, keys)))

    proof = check_proof(msgspec.json.encode(prove("run_1", ledger, checkpoint)), public_key(public(keys)))

    assert [(event.position, event.version, event.topic) for event in proof.events] == [
        (event.position, event.version, type(event.event).__name__) for event in EVENTS if event.stream == "run_1"
    ]
    assert [event.state.encode() for event in proof.events] == [
        event.state for event in ledger.sealed_after(0, limit=10) if event.stream == "run_1"
    ]


def test_what_came_after_the_checkpoint_is_not_in_the_proof(ledger: CopyableLedger, keys: Path) -> None:
    head = fill(ledger, EVENTS[:3], BLOBS)
    checkpoint = signed(ledger, keys)
    head = ledger.append([EVENTS[3]], {}, after=head)
    ledger.append(triggered(head, "run_9"), {}, after=head)

    proof = prove("run_1", ledger, checkpoint)

    assert [event.position for event in proof.events] == [1, 3]
    with pytest.raises(NotFound, match="run_9 has no events up to 3"):
        prove("run_9", ledger, checkpoint)


def test_a_log_that_is_not_the_one_that_was_signed_proves_nothing(
    ledger: CopyableLedger, spare: CopyableLedger, keys: Path
) -> None:
    fill(ledger, EVENTS, BLOBS)
    fill(spare, [structs.replace(event, actor="key:another") for event in EVENTS], BLOBS)

    with pytest.raises(LedgerCorrupt, match="Events 1 to 4 are not those that were signed"):
        prove("run_1", spare, signed(ledger, keys))


def test_any_change_of_a_proof_is_found(spare: CopyableLedger, keys: Path) -> None:
    fill(spare, EVENTS, BLOBS)
    proof = msgspec.to_builtins(prove("run_1", spare, signed(spare, keys)))
    key = public_key(public(keys))
    random = Random(7)

    for _ in range(300):
        changed = msgspec.json.decode(msgspec.json.encode(proof))
        _change(changed, random)
        if changed == proof:
            continue
        with pytest.raises(InvalidInput):
            check_proof(msgspec.json.encode(changed), key)
    for number in range(len(proof["events"]) - 1):
        without = {**proof, "events": proof["events"][:number] + proof["events"][number + 1 :]}
        with pytest.raises(WrongProof):
            check_proof(msgspec.json.encode(without), key)
    content = msgspec.json.encode(proof)
    for flipped in _flips(content, random):
        with pytest.raises(InvalidInput):
            check_proof(flipped, key)
    with pytest.raises(WrongProof, match="no events"):
        check_proof(msgspec.json.encode(proof | {"events": []}), key)


def test_any_bit_of_a_checkpoint_that_flips_is_found(spare: CopyableLedger, keys: Path) -> None:
    content = msgspec.json.encode(signed(fill_anew(spare), keys))

    for flipped in _flips(content, Random(7)):
        with pytest.raises(InvalidInput):
            check_signature(read_checkpoint(flipped).checkpoint, public_key(public(keys)))


def _flips(content: bytes, random: Random) -> Iterator[bytes]:
    """The content with one bit of each byte turned, and with the bit turned that makes it no ASCII any more.

    The bit that tells small letters from capitals is left as it is: to hashes in hex it means nothing.
    """
    for at, byte in enumerate(content):
        for bit in (random.choice((1, 2, 4, 8, 16, 64)), 128):
            yield content[:at] + bytes([byte ^ bit]) + content[at + 1 :]


def _change(proof: Any, random: Random) -> None:
    """Change one value anywhere in it."""
    leaves = [*_leaves(proof)]
    within, place = random.choice(leaves)
    value = within[place]
    if isinstance(value, int):
        within[place] = value + random.choice([-1, 1, 1000])
    else:
        at = random.randrange(len(value))
        within[place] = value[:at] + random.choice("0123456789abcdef{}") + value[at + 1 :]


_PLACES: dict[type, Callable[[Any], list[Any]]] = {dict: lambda part: [*part], list: lambda part: [*range(len(part))]}


def _leaves(part: Any) -> Iterator[tuple[Any, Any]]:
    """What has a value, and where in it that is."""
    for place in _PLACES[type(part)](part):
        value = part[place]
        if type(value) in _PLACES:
            yield from _leaves(value)
        else:
            yield part, place


def test_another_key_has_not_signed_it(spare: CopyableLedger, keys: Path, tmp_path: Path) -> None:
    fill(spare, EVENTS, BLOBS)
    content = msgspec.json.encode(prove("run_1", spare, signed(spare, keys)))

    with pytest.raises(WrongCheckpoint, match="was signed with the key"):
        check_proof(content, public_key(make_keys(tmp_path / "other.pem")))


def test_an_empty_log_and_one_that_was_changed_are_not_signed(spare: CopyableLedger, keys: Path) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        signed(spare, keys)
    events = [event._replace(digest=bytes(32)) if event.position == 2 else event for event in _sealed(fill_anew(spare))]

    class Changed:
        head = staticmethod(spare.head)

        def sealed_after(self, position: int, *, limit: int) -> Any:
            return events[position : position + limit]

    with pytest.raises(LedgerCorrupt, match="Event 2 is not as it was appended"):
        signed(Changed(), keys)  # type: ignore[arg-type]
    del events[1]
    with pytest.raises(LedgerCorrupt, match="Event 2 is missing"):
        signed(Changed(), keys)  # type: ignore[arg-type]


def fill_anew(ledger: CopyableLedger) -> CopyableLedger:
    assert ledger.head() == START
    fill(ledger, EVENTS, BLOBS)
    return ledger


def _sealed(ledger: CopyableLedger) -> list[Any]:
    return ledger.sealed_after(0, limit=10)


@pytest.mark.parametrize("segment", [1, 2, 4_096])
def test_a_log_is_held_against_what_was_signed(
    ledger: CopyableLedger, spare: CopyableLedger, keys: Path, segment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SEGMENT", segment)
    fill(spare, [structs.replace(event, actor="x") if event.position == 2 else event for event in EVENTS], BLOBS)
    of_another = signed(spare, keys)
    fill(ledger, EVENTS[:3], BLOBS)
    shorter = list(misfits(ledger, of_another))
    ledger.append([EVENTS[3]], {}, after=ledger.head())
    own = signed(ledger, keys)
    erase_run(ledger, "run_1")

    first = {1: "Events 2 to 2", 2: "Events 1 to 2", 4_096: "Events 1 to 4"}[segment]
    assert shorter == ["The ledger ends with event 3, and event 4 was signed."]
    assert list(misfits(ledger, own)) == []
    assert list(misfits(ledger, of_another)) == [
        f"{first} are not those that were signed.",
        "The rolling hash of the log behind event 4 is not the one that was signed.",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"checkpoint": {"format": "runfold-checkpoint 2"}}, "of the format"),
        ({"checkpoint": {"position": 5_000}}, "do not have 1 segments"),
        ({"segments": ["0" * 64]}, "not those that were signed"),
        ({"segments": "none"}, "This is no checkpoint"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(
    spare: CopyableLedger, keys: Path, change: dict[str, Any], sentence: str
) -> None:
    file = msgspec.to_builtins(signed(fill_anew(spare), keys))
    of_checkpoint = change.pop("checkpoint", {})

    with pytest.raises(WrongCheckpoint, match=sentence):
        read_checkpoint(msgspec.json.encode(file | change | {"checkpoint": file["checkpoint"] | of_checkpoint}))


def test_keys_are_for_their_owner_and_never_replaced(keys: Path, tmp_path: Path) -> None:
    assert keys.stat().st_mode & 0o077 == 0
    assert private_key(keys).public_key() == public_key(public(keys))
    with pytest.raises(KeyMissing, match="cannot be written: File exists"):
        make_keys(keys)
    with pytest.raises(KeyMissing, match="does not hold an Ed25519 key in PEM"):
        private_key(public(keys))
    with pytest.raises(KeyMissing, match="cannot be read"):
        public_key(tmp_path / "none")
    assert isinstance(private_key(keys), Ed25519PrivateKey)


def test_the_checker_of_the_page_agrees(spare: CopyableLedger, keys: Path, tmp_path: Path) -> None:
    fill(spare, EVENTS, BLOBS)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "check.py").write_text(code)
    proof = msgspec.to_builtins(prove("run_1", spare, signed(spare, keys)))
    changed = {**proof, "events": [proof["events"][0] | {"topic": "RunCanceled"}, *proof["events"][1:]]}

    said = [_checked(each, tmp_path, public(keys)) for each in (proof, changed)]

    assert said[0] == (0, "3 events of run_1 are proved, up to event 4 of the log.\n")
    assert said[1][0] != 0


@pytest.mark.parametrize("place", ["", "checkpoint", "events"])
def test_neither_check_takes_a_field_that_nothing_proves(
    spare: CopyableLedger, keys: Path, tmp_path: Path, place: str
) -> None:
    fill(spare, EVENTS, BLOBS)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "check.py").write_text(code)
    proof = msgspec.to_builtins(prove("run_1", spare, signed(spare, keys)))
    assert _checked(proof, tmp_path, public(keys))[0] == 0
    within = {"": proof, "checkpoint": proof["checkpoint"], "events": proof["events"][-1]}[place]
    within["approvedBy"] = "the board"

    with pytest.raises(WrongProof, match="unknown field"):
        check_proof(msgspec.json.encode(proof), public_key(public(keys)))
    assert _checked(proof, tmp_path, public(keys))[0] != 0


def test_what_was_signed_before_it_was_erased_still_proves_all_the_rest(
    ledger: CopyableLedger, keys: Path, tmp_path: Path
) -> None:
    fill(ledger, EVENTS, BLOBS)
    before = signed(ledger, keys)
    erase_run(ledger, "run_1")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "check.py").write_text(code)

    proof = prove("run_1", ledger, before)

    assert [(each.topic, bool(each.state), each.leaf is None) for each in proof.events] == [
        ("", False, False),
        ("RunDelayed", True, True),
        ("", False, False),
    ]
    plain = msgspec.to_builtins(proof)
    assert check_proof(msgspec.json.encode(proof), public_key(public(keys))) == proof
    status, said = _checked(plain, tmp_path, public(keys))
    assert (status, said.splitlines()) == (
        0,
        [
            "1 events of run_1 are proved, up to event 4 of the log.",
            "2 were erased: something stood there; of what type and of which run is not proved.",
        ],
    )
    first = {**plain, "events": [plain["events"][0] | {"leaf": "00" * 32}, *plain["events"][1:]]}
    told = {**plain, "events": [plain["events"][0] | {"state": "{}"}, *plain["events"][1:]]}
    typed = {**plain, "events": [plain["events"][0] | {"topic": "RunCanceled"}, *plain["events"][1:]]}
    for wrong in (first, told, typed):
        with pytest.raises(WrongProof):
            check_proof(msgspec.json.encode(wrong), public_key(public(keys)))
        assert _checked(wrong, tmp_path, public(keys))[0] != 0
    assert make_checkpoint(ledger, private_key(keys), NOW, lambda _: None).checkpoint.position == 6


def test_what_is_erased_is_of_no_type_and_of_no_run(ledger: CopyableLedger, keys: Path, tmp_path: Path) -> None:
    """With leaves alone, anything may be said of what they are."""
    fill(ledger, EVENTS, BLOBS)
    before = signed(ledger, keys)
    whole = msgspec.to_builtins(prove("run_1", ledger, before))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "check.py").write_text(code)

    def without(event: Any) -> Any:
        content = (event["position"], "run_1", event["version"], event["topic"], event["state"].encode())
        return event | {"topic": "", "state": "", "leaf": leaf_hash(content_of(content)).hex()}

    hidden = {**whole, "events": [without(event) for event in whole["events"]]}
    of_another = {**hidden, "stream": "run_9"}
    renamed = {**whole, "stream": "run_9", "events": [*hidden["events"][:-1], whole["events"][-1]]}
    for wrong in (hidden, of_another, renamed):
        with pytest.raises(WrongProof):
            check_proof(msgspec.json.encode(wrong), public_key(public(keys)))
        assert _checked(wrong, tmp_path, public(keys))[0] != 0


def test_nothing_is_proved_of_a_run_of_which_all_was_erased(ledger: CopyableLedger, keys: Path) -> None:
    fill(ledger, EVENTS[:1], {})
    before = signed(ledger, keys)
    erase_run(ledger, "run_1")

    with pytest.raises(NotAllowed, match="All events of run_1 up to 1 are erased"):
        prove("run_1", ledger, before)
    assert [event.topic for event in prove("run_1", ledger, signed(ledger, keys)).events] == ["", "RunErased"]


def _checked(proof: Any, folder: Path, key: Path) -> tuple[int, str]:
    (folder / "proof.json").write_bytes(msgspec.json.encode(proof))
    command = [sys.executable, "-I", "check.py", "proof.json", str(key)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout
