"""Rules of offers: codes that nobody guesses or mistakes, and what each is worth when."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain import offer as rules
from adserver.domain.offer import (
    CODE,
    LETTERS,
    Handed,
    NoCode,
    OfferPool,
    PoolKind,
    Pools,
    RedeemCode,
    Redemption,
    as_shown,
    code_key,
    generated_codes,
    is_low,
    judge,
    redeem,
    reserve_of,
    still,
    why_no_code,
)
from adserver.domain.snapshot import Snapshot
from creatives.card import Brand, Look, Offer
from tests.domain.makers import ADVERTISER, CREATIVE, NOW_MS, make_campaign, make_creative

POOL = OfferPool(key=91, advertiser_key=ADVERTISER, name="Autumn", kind=PoolKind.GENERATED)
TEN = Offer(percent=10, pool=True)
CODE_HANDED = Handed(1, POOL.key, "A-1001", 99, NOW_MS, NOW_MS + 1_000, None, None)


def make_pool(**fields: object) -> OfferPool:
    return msgspec.structs.replace(POOL, **fields)


def make_code(**fields: object) -> Handed:
    return msgspec.structs.replace(CODE_HANDED, **fields)


@given(
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(8, 24),
    st.sampled_from(["", "A", "AUTUMN-2026-"]),
)
def test_a_made_code_is_of_its_click_and_can_be_typed(
    impression_id: int, secret: bytes, length: int, prefix: str
) -> None:
    pool = make_pool(length=length, prefix=prefix)
    codes = generated_codes(pool, impression_id, secret)
    assert codes == generated_codes(pool, impression_id, secret)
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert CODE.fullmatch(code) and set(code.removeprefix(prefix)) <= set(LETTERS)
        assert len(code) == len(prefix) + length
    others = {
        *generated_codes(pool, impression_id ^ 1, secret),
        *generated_codes(make_pool(key=92, length=length, prefix=prefix), impression_id, secret),
        *generated_codes(pool, impression_id, bytes(32) if any(secret) else b"x" * 32),
    }
    assert others.isdisjoint(codes)


def test_letters_that_look_alike_are_in_no_made_code() -> None:
    assert not set("ILO01ilo") & set(LETTERS)
    assert len(set(LETTERS)) == len(LETTERS) == 31


def test_shops_do_not_tell_upper_from_lower_case_and_advertisers_do_not_share_codes() -> None:
    assert code_key(1, "Save10") == code_key(1, "SAVE10")
    assert code_key(1, "SAVE10") != code_key(2, "SAVE10") != code_key(2, "SAVE11")


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (" SAVE-10 ", "SAVE-10"), ("a.b_", "a.b_"), ("x" * 40, "x" * 40), ("abc", None), ("x" * 41, None),
        ("-abcd", None), ("AB CD", None), ("AB&CD", None), ("=1+1", None), ("GRÜN", None), ("", None), ("١٢٣٤", None),
    ],
)  # fmt: skip
def test_only_what_can_stand_in_an_address_is_a_code(text: str, sound: str | None) -> None:
    assert rules.sound_code(text) == sound


@given(st.integers(0, 10**6))
def test_one_code_of_twenty_is_kept_back_and_a_pool_is_never_low_with_all_its_codes(total: int) -> None:
    assert reserve_of(total) == min(total // 20, 100)
    assert total == 0 or not is_low(total, total)
    assert is_low(reserve_of(total), total) and is_low(0, total)


LATER, SOONER = NOW_MS + 1_000, NOW_MS - 1_000


@pytest.mark.parametrize(
    ("pool", "suspect", "decided_ms", "why"),
    [
        ({}, False, SOONER, None),
        ({}, True, SOONER, NoCode.SUSPECT),
        ({"ends_at_ms": NOW_MS}, False, SOONER, NoCode.OVER),
        ({"ends_at_ms": NOW_MS + 1}, False, SOONER, None),
        ({"low_ms": SOONER}, False, SOONER, None),
        ({"low_ms": SOONER - 1_000}, False, SOONER, None),
        ({"low_ms": SOONER - 1_001}, False, SOONER, NoCode.EMPTY),
    ],
)
def test_a_click_gets_a_code_or_the_name_of_why_not(
    pool: dict[str, object], suspect: bool, decided_ms: int, why: NoCode | None
) -> None:
    assert why_no_code(make_pool(**pool), TEN, decided_ms, NOW_MS, suspect=suspect) is why


def test_a_click_of_a_pool_that_is_not_heard_of_gets_no_code() -> None:
    assert why_no_code(None, TEN, NOW_MS, NOW_MS, suspect=False) is NoCode.GONE


@given(st.lists(st.none() | st.integers(1, 10), min_size=3, max_size=3))
def test_a_code_ends_at_the_soonest_of_its_ends(ends: list[int | None]) -> None:
    minutes, pool_end, offer_end = ends
    pool = make_pool(valid_minutes=minutes, ends_at_ms=pool_end and NOW_MS + pool_end * 60_000)
    offer = msgspec.structs.replace(TEN, ends_at_ms=offer_end and NOW_MS + offer_end * 60_000)
    told = [end for end in ends if end is not None]
    expected = NOW_MS + min(told) * 60_000 if told else None
    assert rules.expires_ms(pool, offer, NOW_MS) == expected


@pytest.mark.parametrize(
    ("code", "impression_id", "at_ms", "worth"),
    [
        (None, 0, NOW_MS, Redemption.UNKNOWN_CODE),
        (make_code(handed_ms=None), 0, NOW_MS, Redemption.NOT_HANDED),
        (make_code(), 0, NOW_MS, Redemption.VALID),
        (make_code(), 99, NOW_MS, Redemption.VALID),
        (make_code(), 98, NOW_MS, Redemption.SHARED_CODE),
        (make_code(impression_id=None), 98, NOW_MS, Redemption.VALID),  # the click was forgotten
        (make_code(), 99, NOW_MS + 999, Redemption.VALID),
        (make_code(), 99, NOW_MS + 1_000, Redemption.EXPIRED),
        (make_code(expires_ms=None), 99, NOW_MS * 2, Redemption.VALID),
        (make_code(redeemed_ms=NOW_MS, order_key=5), 99, NOW_MS, Redemption.ALREADY_REDEEMED),
    ],
)
def test_what_a_code_is_worth(code: Handed | None, impression_id: int, at_ms: int, worth: Redemption) -> None:
    assert judge(code, impression_id, at_ms) is worth
    write = RedeemCode(ADVERTISER, "A-1001", 7, impression_id, True, at_ms)
    instead = Redemption.REDEEMED if worth is Redemption.VALID else worth
    by_server = None if code is None else msgspec.structs.replace(code, by_server=True)
    assert redeem(by_server, write) is instead


@pytest.mark.parametrize(
    ("known_by_server", "told_by_server", "order_key", "result"),
    [
        (False, False, 5, Redemption.REDEEMED),
        (False, False, 6, Redemption.ALREADY_REDEEMED),
        (False, True, 6, Redemption.REDEEMED),
        (True, False, 6, Redemption.ALREADY_REDEEMED),
        (True, True, 6, Redemption.ALREADY_REDEEMED),
        (True, False, 5, Redemption.REDEEMED),
    ],
)
def test_a_server_is_believed_before_a_browser(
    known_by_server: bool, told_by_server: bool, order_key: int, result: Redemption
) -> None:
    code = make_code(redeemed_ms=NOW_MS, order_key=5, by_server=known_by_server)
    assert redeem(code, RedeemCode(ADVERTISER, "A-1001", order_key, 99, told_by_server, NOW_MS)) is result


# ---- what is shown ----


def shown(snapshot: Snapshot) -> Offer | None:
    return snapshot.creatives[CREATIVE].offer


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_creative_shows_its_offer_while_its_pool_is_not_low(order: Iterable[int]) -> None:
    """In whatever order a worker hears of the two."""
    snapshot, promising = Snapshot(), make_creative(offer=TEN, pool_key=POOL.key)
    snapshot.put(make_campaign())
    news = (make_pool(ends_at_ms=LATER), promising)
    for place in order:
        snapshot.put(news[place])
    assert shown(snapshot) == msgspec.structs.replace(TEN, ends_at_ms=LATER)
    before = snapshot.change_of(ADVERTISER)
    snapshot.put(make_pool(low_ms=NOW_MS, version=2))
    assert shown(snapshot) is None
    assert snapshot.change_of(ADVERTISER) > before  # so that no decision is made of what was prepared
    snapshot.put(make_pool(version=3))
    assert shown(snapshot) == TEN
    snapshot.put(make_creative(offer=Offer(percent=5), version=2))
    snapshot.put(make_pool(low_ms=NOW_MS, version=4))
    assert shown(snapshot) == Offer(percent=5)
    assert snapshot.creatives_of(promising.campaign_key) == [snapshot.creatives[CREATIVE]]


def test_an_offer_of_a_pool_nobody_has_heard_of_is_not_shown() -> None:
    assert as_shown(make_creative(offer=TEN, pool_key=4), None).offer is None
    assert Pools().pool(None) is None


def test_an_offer_that_is_over_is_not_drawn() -> None:
    look = Look("cards", Brand("Shop"), msgspec.structs.replace(TEN, ends_at_ms=NOW_MS))
    assert still(look, NOW_MS - 1) is look
    assert still(look, NOW_MS).offer is None
    assert still(msgspec.structs.replace(look, offer=TEN), NOW_MS).offer == TEN
