"""Sealing: what is sealed opens with its key and at its place only, and tells nothing."""

import base64
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.secrets import KEY_BYTES, MasterKey, Vault, key_name_of
from domain.errors import InvalidInput, KeyMissing, SealBroken

ONE, TWO = (MasterKey(bytes([number]) * KEY_BYTES) for number in (1, 2))
PLACE = ("env_1", "connection", "github")
TEXT = st.text(max_size=20)


def vault(*keys: MasterKey, seed: int = 1) -> Vault:
    return Vault(keys or (ONE,), random.Random(seed).randbytes)


@given(st.binary(max_size=500), TEXT, TEXT, TEXT)
def test_what_is_sealed_opens_at_its_place(value: bytes, environment: str, purpose: str, name: str) -> None:
    sealed = vault().seal(value, environment, purpose, name)

    assert vault(TWO, ONE).open(sealed, environment, purpose, name) == value


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_at_another_place_it_does_not_open(place: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    sealed = vault().seal(b"hush", *place)

    if place != other:
        with pytest.raises(SealBroken):
            vault().open(sealed, *other)


@pytest.mark.parametrize(
    "other", [("env_2", *PLACE[1:]), ("env_1", "auth", "github"), ("env_1", "connection", "slack")]
)
def test_a_sealed_value_cannot_be_moved(other: tuple[str, str, str]) -> None:
    sealed = vault().seal(b"hush", *PLACE)

    with pytest.raises(SealBroken, match="cannot be decrypted: it was changed or moved"):
        vault().open(sealed, *other)


@given(st.data())
def test_a_value_with_any_bit_changed_does_not_open(data: st.DataObject) -> None:
    form, name, text = vault().seal(b"hush", *PLACE).split(".")
    packed = bytearray(base64.b64decode(text))
    bit = data.draw(st.integers(0, 8 * len(packed) - 1))
    packed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealBroken):
        vault().open(f"{form}.{name}.{base64.b64encode(packed).decode()}", *PLACE)


def test_a_value_that_says_it_is_of_another_key_does_not_open() -> None:
    sealed = vault().seal(b"hush", *PLACE).replace(ONE.name, TWO.name)

    with pytest.raises(SealBroken):
        vault(ONE, TWO).open(sealed, *PLACE)


@pytest.mark.parametrize("sealed", ["", "1", "1.", "1..", "2.aa.bb", "1.72cd6e84.!", "1.72cd6e84.YWJj", "hush"])
def test_what_is_no_sealed_value_does_not_open(sealed: str) -> None:
    with pytest.raises(SealBroken, match="not of a format that is known here"):
        vault().open(sealed, *PLACE)


def test_without_its_key_it_does_not_open_and_the_key_is_named() -> None:
    sealed = vault().seal(b"hush", *PLACE)

    with pytest.raises(KeyMissing) as refusal:
        vault(TWO).open(sealed, *PLACE)

    assert str(refusal.value) == (
        f"The connection github is encrypted with key {ONE.name}, which is not here: add it to"
        " RUNFOLD_ENCRYPTION_KEY, behind a comma, or bring its file back."
    )


def test_the_first_key_seals_and_all_open() -> None:
    old = vault(ONE).seal(b"old", *PLACE)
    both = vault(TWO, ONE)
    new = both.seal(b"new", *PLACE)

    assert (key_name_of(old), key_name_of(new)) == (ONE.name, TWO.name)
    assert [both.open(sealed, *PLACE) for sealed in (old, new)] == [b"old", b"new"]


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(KeyMissing, match="RUNFOLD_ENCRYPTION_KEY"):
        Vault([], os.urandom).seal(b"hush", *PLACE)


def test_a_key_is_made_only_when_there_is_none_and_something_is_to_be_sealed() -> None:
    kept: list[MasterKey] = []

    def keep() -> MasterKey:
        kept.append(TWO)
        return TWO

    lazy = Vault([], os.urandom, kept=lambda: kept[0] if kept else None, keep=keep)
    with pytest.raises(KeyMissing):
        lazy.open(vault(ONE).seal(b"hush", *PLACE), *PLACE)
    assert kept == []

    first, second = (lazy.seal(b"hush", *PLACE) for _ in range(2))

    assert kept == [TWO]
    assert {key_name_of(first), key_name_of(second)} == {TWO.name}


def test_a_key_that_is_kept_opens_behind_those_of_the_settings() -> None:
    before = vault(ONE).seal(b"hush", *PLACE)
    now = Vault([TWO], os.urandom, kept=lambda: ONE)

    assert now.open(before, *PLACE) == b"hush"
    assert key_name_of(now.seal(b"hush", *PLACE)) == TWO.name


def test_a_key_that_is_kept_is_not_looked_for_where_it_is_not_needed() -> None:
    def damaged() -> MasterKey:
        raise KeyMissing("The key file cannot be used.")

    now = Vault([TWO], os.urandom, kept=damaged)

    assert now.open(now.seal(b"hush", *PLACE), *PLACE) == b"hush"
    with pytest.raises(KeyMissing, match="cannot be used"):
        now.open(vault(ONE).seal(b"hush", *PLACE), *PLACE)


def test_the_same_value_sealed_twice_looks_different_and_tells_nothing() -> None:
    one = vault()

    first, second = (one.seal(b"hush hush", *PLACE) for _ in range(2))

    assert first.split(".")[:2] == second.split(".")[:2] == ["1", ONE.name]
    assert first != second
    assert b"hush" not in base64.b64decode(first.split(".")[2])


def test_keys_are_shown_by_name_only() -> None:
    shown = f"{ONE} {ONE!r} {vault()!r} {[ONE]}"

    assert ONE.text not in shown
    assert ONE.name in shown


@pytest.mark.parametrize("text", [ONE.text, ONE.text.upper(), base64.b64encode(bytes([1]) * KEY_BYTES).decode()])
def test_a_key_is_hex_or_base64(text: str) -> None:
    assert MasterKey.parse(text).text == ONE.text


@pytest.mark.parametrize("text", ["", "hush", "0" * 63, "0" * 65, "g" * 64, "YWJj", "ä" * 44, " " * 64])
def test_what_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        MasterKey.parse(text)

    assert str(refusal.value) == "an encryption key is 32 bytes, as hex or base64"
