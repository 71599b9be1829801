"""Merkle trees against the definition in RFC 6962, and against hashes that other programs have of the same leaves."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.merkle import leaf_hash, path_of, root_by, root_of

# The leaves and roots with which the programs of Certificate Transparency are tested.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def by_definition(hashes: Sequence[bytes]) -> bytes:
    """Section 2.1, word for word, but that the leaves are hashed already."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return hashlib.sha256(b"\1" + by_definition(hashes[:split]) + by_definition(hashes[split:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_others_have_the_same_roots(size: int) -> None:
    assert root_of([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size]


@given(HASHES)
def test_the_root_is_as_it_is_defined(hashes: list[bytes]) -> None:
    assert root_of(hashes) == by_definition(hashes)


@given(HASHES, st.sampled_from([1, 2, 4, 8]))
def test_the_roots_of_segments_are_nodes_of_the_whole_tree(hashes: list[bytes], segment: int) -> None:
    parts = [hashes[start : start + segment] for start in range(0, len(hashes), segment)]
    roots = [root_of(part) for part in parts]

    assert root_of(roots) == root_of(hashes)
    for index in range(len(hashes)):
        number, place = divmod(index, segment)
        assert path_of(parts[number], place) + path_of(roots, number) == path_of(hashes, index)


@given(HASHES, st.data())
def test_a_path_leads_to_the_root_from_its_own_leaf_and_place_alone(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    path = path_of(hashes, index)

    assert root_by(path, hashes[index], index, len(hashes)) == root_of(hashes)
    other = data.draw(st.binary(min_size=32, max_size=32))
    if other != hashes[index]:
        assert root_by(path, other, index, len(hashes)) != root_of(hashes)
    with pytest.raises(ValueError, match="too long"):
        root_by([*path, other], hashes[index], index, len(hashes))
    if path:
        with pytest.raises(ValueError, match="too short"):
            root_by(path[:-1], hashes[index], index, len(hashes))


def test_there_is_no_place_outside_of_the_list() -> None:
    with pytest.raises(ValueError, match="no 2 among 2"):
        root_by([], LEAVES[0], 2, 2)
