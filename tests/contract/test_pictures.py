"""The port of what came of fetching pictures: each product's state, who is next, and what is told of it."""

import pytest

from adserver.domain.fetching import Validators
from adserver.domain.picture import PictureState
from adserver.storage import pictures
from adserver.storage.embedded import Storage
from adserver.writes import (
    ForgetPictures,
    KeepPicture,
    RemoveProductsNotIn,
    RetryPictures,
    SaveProducts,
)
from tests.domain.makers import ADVERTISER, NOW_MS, make_product

IMAGE = "https://shop.example/boots.jpg"
HASH = "ab" * 16
BOOTS = make_product(image_link=IMAGE)


def put(storage: Storage, *items: str, image_link: str | None = IMAGE) -> None:
    products = tuple(make_product(item, image_link=image_link) for item in items)
    storage.writer.commit(SaveProducts(ADVERTISER, products, 3, 1))


def make_state(reason: str | None = None, due_ms: int = NOW_MS) -> PictureState:
    return PictureState(
        links=7, source=IMAGE, validators=Validators('"1"', "Sun"), reason=reason, tried_ms=1, due_ms=due_ms
    )


def keep(
    storage: Storage,
    item: str = "boots",
    reason: str | None = None,
    picture: str | None = None,
    image_link: str = IMAGE,
    due_ms: int = NOW_MS,
) -> None:
    key = make_product(item).key
    storage.writer.commit(KeepPicture(ADVERTISER, key, image_link, picture, make_state(reason, due_ms)))


def test_what_came_of_a_try_is_kept_whole(empty: Storage) -> None:
    put(empty, "boots")
    assert empty.picture_book.lacking(ADVERTISER, -1, 9) == [(BOOTS.key, None)]
    keep(empty, reason="status_404")
    assert empty.picture_book.lacking(ADVERTISER, -1, 9) == [(BOOTS.key, make_state("status_404"))]
    keep(empty, picture=HASH)
    assert empty.picture_book.lacking(ADVERTISER, -1, 9) == []
    assert empty.picture_book.due(NOW_MS, 9) == [(BOOTS.key, make_state())]
    assert empty.catalogue.products([BOOTS.key])[BOOTS.key].picture == HASH


def test_what_came_of_an_address_left_meanwhile_is_not_kept(empty: Storage) -> None:
    put(empty, "boots")
    keep(empty, picture=HASH, image_link=f"{IMAGE}?old")
    assert empty.picture_book.lacking(ADVERTISER, -1, 9) == [(BOOTS.key, None)]
    keep(empty, item="nobodys", reason="status_404")
    assert empty.picture_book.due(NOW_MS, 9) == []


def test_only_a_new_picture_changes_the_catalogue(empty: Storage) -> None:
    put(empty, "boots")
    seen, changed = empty.picture_book.changed_since(0)
    assert changed == [ADVERTISER]
    keep(empty, reason="status_404")
    assert empty.picture_book.changed_since(seen) == (seen, [])
    keep(empty, picture=HASH)
    seen, changed = empty.picture_book.changed_since(seen)
    assert changed == [ADVERTISER]
    keep(empty, picture=HASH)
    keep(empty, reason="status_404")
    assert empty.picture_book.changed_since(seen) == (seen, [])
    assert empty.catalogue.products([BOOTS.key])[BOOTS.key].picture == HASH, "a failure takes nothing away"


def test_those_are_due_whose_time_has_come_the_longest_due_first(empty: Storage) -> None:
    put(empty, *"abcd")
    for number, item in enumerate("dcba"):
        keep(empty, item, due_ms=NOW_MS + number)
    due = empty.picture_book.due(NOW_MS + 2, 2)
    assert [key for key, _ in due] == [make_product(item).key for item in "dc"]
    assert len(empty.picture_book.due(NOW_MS + 2, 9)) == 3


def test_counts_and_troubles_are_of_products_that_are_there(empty: Storage) -> None:
    put(empty, *"abcde")
    put(empty, "plain", image_link=None)
    keep(empty, "a", picture=HASH)
    keep(empty, "b", "status_404")
    keep(empty, "c", "status_404", picture=HASH)
    keep(empty, "d", "picture_blank")
    counts = empty.picture_book.counts(ADVERTISER)
    assert (counts.products, counts.shown, counts.waiting, counts.without_address) == (6, 2, 1, 1)
    assert counts.reasons == {"status_404": 1, "picture_blank": 1}
    assert counts.substituted == {"status_404": 1}
    assert len(empty.picture_book.troubles(ADVERTISER, None, -1, 9)) == 3
    assert len(empty.picture_book.troubles(ADVERTISER, "status_404", -1, 9)) == 2
    assert empty.picture_book.troubles(8, None, -1, 9) == []
    empty.writer.commit(RemoveProductsNotIn(3, 2))
    assert empty.picture_book.counts(ADVERTISER).reasons == {}
    assert empty.picture_book.troubles(ADVERTISER, None, -1, 9) == []


def test_a_retry_makes_only_troubles_due_and_some_at_a_time(
    empty: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pictures.RETRIED_AT_ONCE >= 500
    put(empty, *"abc")
    for item in "ab":
        keep(empty, item, "status_404", due_ms=NOW_MS + 9)
    keep(empty, "c", picture=HASH, due_ms=NOW_MS + 9)
    asked = RetryPictures(ADVERTISER, NOW_MS)
    assert [empty.writer.commit(asked).figure for _ in range(2)] == [2, 0]
    assert len(empty.picture_book.due(NOW_MS, 9)) == 2
    assert empty.writer.commit(RetryPictures(8, NOW_MS + 9)).figure == 0


def test_pictures_of_which_nothing_is_noted_are_found_page_by_page(empty: Storage) -> None:
    put(empty, *"abcde")
    put(empty, "plain", image_link=None)
    for item in "abc":
        keep(empty, item, picture=HASH)
    assert empty.picture_book.unwatched(-1, 9) == []
    keys = sorted(make_product(item).key for item in "abc")
    empty.writer.commit(ForgetPictures(tuple(keys)))
    first = empty.picture_book.unwatched(-1, 2)
    assert first + empty.picture_book.unwatched(first[-1], 2) == keys


def test_what_is_forgotten_is_never_due_again(empty: Storage) -> None:
    put(empty, *"ab")
    for item in "ab":
        keep(empty, item)
    empty.writer.commit(ForgetPictures((make_product("a").key,)))
    assert [key for key, _ in empty.picture_book.due(NOW_MS, 9)] == [make_product("b").key]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (pictures._LACKING, "products_without_picture"),
        (pictures._DUE, "ix_pictures_due_ms"),
        (pictures._CHANGED, "ix_change_log_sequence"),
        (pictures._TROUBLES, "pictures_in_trouble"),
        (pictures._REASONS, "pictures_in_trouble"),
        (pictures._WITHOUT_ADDRESS, "products_without_address"),
        (pictures._WITHOUT_PICTURE, "products_without_picture"),
    ],
)
def test_what_is_asked_again_and_again_is_found_by_an_index(
    empty: Storage, statement: str, index: str
) -> None:
    names = ("advertiser_key", "after", "most", "now_ms", "sequence")
    plan = empty.reader.rows(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(names, 1))
    assert any(index in str(row[3]) for row in plan), plan
    assert not any(str(row[3]).startswith("SCAN") and "INDEX" not in str(row[3]) for row in plan), plan
