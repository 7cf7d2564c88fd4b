"""What is near a product is learnt from steps that visitors made, and from those that go on from there."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.recommendation import next_looks, pack, similar, unpack
from adserver.domain.sessions import MOST_CLICKS
from adserver.domain.walks import ENDS_KEPT, Walks

A, B, C, D, E = 2**62, 7, 3, 11, 5
sessions_of_few_products = st.lists(st.lists(st.integers(1, 12), max_size=8), max_size=20)


def learnt(*sessions: Sequence[int]) -> dict[int, bytes]:
    walks = Walks(sessions)
    for _ in walks.work():
        pass
    return dict(walks.near())


def chances(near: dict[int, bytes], product: int) -> dict[int, int]:
    return dict(unpack(near[product]))


def test_what_was_seen_next_is_nearer_than_what_was_seen_before() -> None:
    near = chances(learnt([A, B, C]), B)
    assert near[C] > near[A]


def test_what_is_seen_more_often_is_nearer() -> None:
    near = chances(learnt([A, B], [A, C], [A, C]), A)
    assert near[C] > near[B]


def test_what_was_never_seen_together_is_near_by_way_of_a_third() -> None:
    near = chances(learnt([A, B], [B, C], [C, D]), A)
    assert near[B] > near[C] > near[D] > 0


def test_what_no_walk_reaches_is_not_near() -> None:
    assert E not in chances(learnt([A, B], [D, E]), A)


def test_a_product_seen_alone_has_nothing_near() -> None:
    assert learnt([A], [B, B, B]) == {}


def test_the_same_product_twice_in_turn_is_one_look() -> None:
    assert learnt([A, A, B], [B, C]) == learnt([A, B], [B, C])


def test_sessions_are_not_joined() -> None:
    assert learnt([A, B], [C, D]).keys() == {A, B, C, D}
    assert C not in chances(learnt([A, B], [C, D]), B)


def test_of_a_session_that_looks_at_everything_only_the_first_clicks_count() -> None:
    near = learnt(range(1, 1_000))
    assert MOST_CLICKS in near and MOST_CLICKS + 1 not in near


@given(sessions_of_few_products)
def test_nothing_is_near_itself_and_chances_are_no_more_than_all(sessions: list[list[int]]) -> None:
    for product, packed in learnt(*sessions).items():
        near = dict(unpack(packed))
        assert product not in near
        assert 0 < len(near) <= ENDS_KEPT
        assert sum(near.values()) <= 65_535 + len(near)
        assert list(near.values()) == sorted(near.values(), reverse=True)


@given(sessions_of_few_products)
def test_the_same_sessions_teach_the_same(sessions: list[list[int]]) -> None:
    assert learnt(*sessions) == learnt(*sessions)


@given(st.dictionaries(st.integers(1, 2**63 - 1), st.floats(0, 1), max_size=30))
def test_what_is_packed_is_unpacked(near: dict[int, float]) -> None:
    found = dict(unpack(pack(list(near), list(near.values()))))
    assert found.keys() == near.keys()
    assert all(abs(found[key] / 65_535 - chance) < 1e-4 for key, chance in near.items())


@given(sessions_of_few_products, st.lists(st.integers(1, 12), min_size=1, max_size=12, unique=True))
def test_the_last_product_is_never_next_and_similar_ones_are_not_those_seen(
    sessions: list[list[int]], seen: list[int]
) -> None:
    near = learnt(*sessions)
    ahead, others = next_looks(seen, near), similar(seen, near)
    assert seen[0] not in ahead
    assert set(seen[1:]) <= set(ahead)
    assert set(others) == set(ahead) - set(seen)
    assert len(set(ahead)) == len(ahead)


def test_what_is_near_the_last_product_comes_before_what_is_near_one_before_it() -> None:
    near = learnt([A, B], [C, D])
    assert similar([A, C], near) == [B, D]
    assert similar([C, A], near) == [D, B]


def test_one_seen_just_before_is_likelier_next_than_what_many_others_saw() -> None:
    near = learnt([A, B], [A, C], [A, D], [A, E])
    assert next_looks([A, 99], near)[0] == 99


def test_of_a_shop_where_nothing_is_learnt_only_what_was_seen_comes_again() -> None:
    assert next_looks([A, B, C], {}) == [B, C]
    assert similar([A, B, C], {}) == []
    assert similar([], {}) == []
