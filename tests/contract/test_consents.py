"""The consents port: what each shop's part of a profile stands on, from its first fold until years after its end."""

from itertools import count

import msgspec
import pytest

from adserver.domain.consent_record import MOST_PROOFS, ConsentRecord, Ended, digest_of_visitor
from adserver.domain.offer import HandCode
from adserver.domain.pricing import AdEvent
from adserver.domain.retention import Retention
from adserver.domain.suppression import ListVisitors
from adserver.domain.visitor import MOST_SHOPS, Preference
from adserver.flows.purge import Purge
from adserver.storage import erasure
from adserver.storage.consents import SqliteConsents
from adserver.storage.embedded import Storage
from adserver.storage.erasure import VISITOR_TABLES
from adserver.storage.tables import metadata
from adserver.writes import (
    Aged,
    ForgetVisitor,
    PurgeAged,
    RecordAd,
    RecordDecision,
    Result,
    StoreEvent,
    TellPreference,
    Withdraw,
)
from pixel.consent_proof import ConsentProof
from pixel.events import EventName
from tests.contract.stores import (
    credit_by_pixel,
    make_ghost,
    make_order_event,
    make_record,
    make_sample,
    roll_up_funnel,
    rows_of,
)
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, NOW_MS, SLOT, make_event

VISITOR = 4_242_424_242_424
OTHER = ADVERTISER + 1
BANNER = ConsentProof("asserted", 11, "Klaro", NOW_MS - 9_000, "www.shop.example")
STRING = ConsentProof("tcf", 22, "880", NOW_MS - 5_000, "shop.example")
_keys = count(1_000)


def see(
    storage: Storage,
    proof: ConsentProof | None = BANNER,
    *,
    at_ms: int = NOW_MS,
    first: bool = False,
    advertiser_key: int = ADVERTISER,
    name: EventName = EventName.VIEW_ITEM,
) -> None:
    event = make_event(name, "boots")
    write = StoreEvent(next(_keys), advertiser_key, VISITOR, first, event, at_ms, proof=proof)
    assert storage.writer.commit(write).result is Result.ACCEPTED


def given(storage: Storage) -> list[tuple[int, int, int, int | None, str | None]]:
    return [
        (one.advertiser_key, one.proof, one.first_seen_ms - NOW_MS, one.ended_ms, one.ended_by)
        for advertiser_key in (ADVERTISER, OTHER)
        for one in storage.consents.given(VISITOR, advertiser_key)
    ]


def held(storage: Storage) -> set[str]:
    """Tables that name the visitor."""
    named = "SELECT 1 FROM {} WHERE visitor_key = :visitor"
    return {
        table.name for table in VISITOR_TABLES if rows_of(storage, named.format(table.name), visitor=VISITOR)
    }


# ---- while it lasts ----


def test_a_profile_stands_on_what_was_said_when_it_was_folded(storage: Storage) -> None:
    see(storage)
    assert storage.consents.given(VISITOR, ADVERTISER) == [
        ConsentRecord(
            ADVERTISER, "asserted", 11, "Klaro", NOW_MS - 9_000, "www.shop.example", NOW_MS, None, None
        )
    ]
    assert storage.consents.given(VISITOR + 1, ADVERTISER) == []


def test_the_same_consent_is_proven_once_and_another_beside_it(storage: Storage) -> None:
    see(storage)
    see(storage, at_ms=NOW_MS + 1)
    see(storage, STRING, at_ms=NOW_MS + 2)
    see(storage, at_ms=NOW_MS + 3)  # a second tool on the same page
    see(storage, None, at_ms=NOW_MS + 4)
    see(storage, at_ms=NOW_MS + 5, advertiser_key=OTHER)
    assert given(storage) == [
        (ADVERTISER, 11, 0, None, None),
        (ADVERTISER, 22, 2, None, None),
        (OTHER, 11, 5, None, None),
    ]


def test_the_usual_event_costs_no_statement(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    see(storage)
    began: list[object] = []
    monkeypatch.setattr("adserver.storage.consents.Proving.begin", lambda _, *given: began.append(given))
    see(storage, at_ms=NOW_MS + 1)
    assert began == []
    see(storage, STRING)
    assert len(began) == 1


def test_where_nothing_was_said_there_is_nothing_to_prove(storage: Storage) -> None:
    see(storage, None)
    assert given(storage) == []


def test_a_new_cookie_proves_nothing_until_a_profile_is_made_of_its_event(storage: Storage) -> None:
    see(storage, first=True)
    assert given(storage) == []
    see(storage, STRING, at_ms=NOW_MS + 7, advertiser_key=OTHER)
    assert given(storage) == [(ADVERTISER, 11, 0, None, None), (OTHER, 22, 7, None, None)]


@pytest.mark.parametrize(
    "write",
    [
        RecordAd((make_record(1, AdEvent.IMPRESSION, visitor_key=VISITOR),)),
        TellPreference(VISITOR, ADVERTISER, Preference.NOT_THIS_SHOP, 0, NOW_MS),
    ],
)
def test_a_profile_that_an_ad_or_a_wish_makes_stands_on_it_too(
    storage: Storage, write: RecordAd | TellPreference
) -> None:
    see(storage, first=True)
    storage.writer.commit(write)
    assert given(storage) == [(ADVERTISER, 11, 0, None, None)]


def test_a_batch_that_is_sent_again_proves_once(storage: Storage) -> None:
    event = StoreEvent(
        1, ADVERTISER, VISITOR, False, make_event(EventName.VIEW_ITEM, "boots"), NOW_MS, proof=BANNER
    )
    for resent in (False, True):
        storage.writer.commit_all([event], resent)  # type: ignore[union-attr]
    assert given(storage) == [(ADVERTISER, 11, 0, None, None)]


# ---- how it ends ----


@pytest.mark.parametrize("because", [Ended.FORGOTTEN, Ended.OPTED_OUT])
def test_an_erasure_ends_all_of_a_visitors_consents(storage: Storage, because: Ended) -> None:
    see(storage)
    see(storage, STRING, advertiser_key=OTHER)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS + 9, because))
    assert given(storage) == [
        (ADVERTISER, 11, 0, NOW_MS + 9, because),
        (OTHER, 22, 0, NOW_MS + 9, because),
    ]
    assert held(storage) == set()


def test_a_withdrawal_ends_the_consents_to_one_shop(storage: Storage) -> None:
    see(storage)
    see(storage, STRING, advertiser_key=OTHER)
    outcome = storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS + 9))
    assert outcome.result is Result.SAVED
    assert given(storage) == [(ADVERTISER, 11, 0, NOW_MS + 9, "withdrawn"), (OTHER, 22, 0, None, None)]
    assert storage.writer.commit(Withdraw(VISITOR, OTHER, NOW_MS + 10)).result is Result.FORGOTTEN


def test_a_yes_after_a_no_is_a_consent_of_its_own(storage: Storage) -> None:
    see(storage, advertiser_key=OTHER)
    for at_ms in (NOW_MS, NOW_MS + 10):
        see(storage, at_ms=at_ms)
        storage.writer.commit(Withdraw(VISITOR, ADVERTISER, at_ms + 5))
    assert given(storage)[:2] == [
        (ADVERTISER, 11, 0, NOW_MS + 5, "withdrawn"),
        (ADVERTISER, 11, 10, NOW_MS + 15, "withdrawn"),
    ]


def test_a_consent_expires_with_the_part_of_the_profile_that_stands_on_it(storage: Storage) -> None:
    see(storage, name=EventName.PURCHASE)
    see(storage, advertiser_key=OTHER)
    purge(storage, NOW_MS + 31 * DAY_MS)
    shop, other = given(storage)
    assert shop[3:] == (None, None)
    assert other[3:] == (NOW_MS + 31 * DAY_MS, "expired")
    purge(storage, NOW_MS + 180 * DAY_MS)
    assert storage.profiles.profile(VISITOR) is None
    assert [by for *_, by in given(storage)] == ["expired", "expired"]


def test_a_proof_stays_for_five_years_after_its_end(storage: Storage) -> None:
    see(storage)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    purge(storage, NOW_MS + 1_826 * DAY_MS - 1)
    assert len(given(storage)) == 1
    purge(storage, NOW_MS + 1_826 * DAY_MS)
    assert given(storage) == []


def test_an_operator_says_for_how_long(storage: Storage) -> None:
    see(storage)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    purge(storage, NOW_MS + 10 * DAY_MS, Retention(consent_proofs_ms=10 * DAY_MS))
    assert given(storage) == []


def purge(storage: Storage, now_ms: int, retention: Retention = Retention()) -> None:  # noqa: B008
    Purge(storage.writer, lambda: now_ms, retention).run()


# ---- what is erased, and what nobody learns ----


def test_a_withdrawal_takes_one_advertisers_part_of_every_table(storage: Storage) -> None:
    """Which are all that can name a visitor: a new one must be decided on here."""
    live(storage)
    money = rows_of(storage, "SELECT * FROM charges")
    assert storage.writer.commit(Withdraw(VISITOR, OTHER, NOW_MS)).result is Result.SAVED
    assert held(storage) == {table.name for table in VISITOR_TABLES}
    assert storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS)).result is Result.FORGOTTEN
    assert held(storage) == set()
    assert rows_of(storage, "SELECT * FROM charges") == money != []
    assert rows_of(storage, "SELECT state FROM conversions") == [("pending",)]
    assert rows_of(storage, "SELECT token, image_key FROM decisions") == [(None, None)]


def test_no_byte_of_what_was_withdrawn_stays_in_the_file(storage: Storage) -> None:
    see(storage, name=EventName.VIEW_ITEM)
    event = make_event(EventName.VIEW_ITEM, "boots", url="https://shop.example/a-page-of-theirs")
    storage.writer.commit(StoreEvent(next(_keys), ADVERTISER, VISITOR, False, event, NOW_MS, proof=BANNER))
    storage.reader.close()
    storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS))
    files = [path.read_bytes() for path in storage.path.parent.glob("adserver.db*")]
    for gone in (b"a-page-of-theirs", VISITOR.to_bytes(8, "big")):
        assert not any(gone in held for held in files)


def test_what_is_kept_names_nobody_and_no_other_digest() -> None:
    digests = [digest_of_visitor(visitor_key, ADVERTISER, b"key") for visitor_key in range(1_000)]
    assert len(set(digests)) == 1_000 and not {*range(1_000)} & {*digests}
    assert not {*digests} & {erasure.digest_of(visitor_key) for visitor_key in range(1_000)}
    assert "visitor" not in " ".join(column.name for column in metadata.tables["consents"].c)


def test_a_digest_needs_the_key_and_ties_no_two_shops() -> None:
    digests = {
        digest_of_visitor(VISITOR, advertiser_key, key)
        for advertiser_key in (ADVERTISER, OTHER)
        for key in (b"ours", b"another's")
    }
    assert len(digests) == 4


def test_the_database_does_not_say_which_shops_had_one_visitor(storage: Storage) -> None:
    see(storage)
    see(storage, advertiser_key=OTHER)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    shops = rows_of(storage, "SELECT digest, COUNT(*) FROM consents GROUP BY digest")
    assert [rows for _, rows in shops] == [1, 1]
    assert [by for *_, by in given(storage)] == ["forgotten", "forgotten"]


def test_another_installations_key_finds_nothing(storage: Storage) -> None:
    see(storage)
    assert SqliteConsents(storage.reader, b"another's").given(VISITOR, ADVERTISER) == []


# ---- how many there may be ----


def told_as(number: int) -> ConsentProof:
    return msgspec.structs.replace(BANNER, digest=100 + number, cmp=f"tool{number}")


def test_no_page_writes_more_than_a_few_proofs_of_one_visitor(storage: Storage) -> None:
    see(storage, advertiser_key=OTHER)
    for number in range(MOST_PROOFS + 5):
        see(storage, told_as(number), at_ms=NOW_MS + number)
    assert [proof for _, proof, *_ in given(storage)] == [
        *(told_as(number).digest for number in range(5, MOST_PROOFS + 5)),
        BANNER.digest,
    ]


def test_of_too_many_the_oldest_that_ended_leaves_first(storage: Storage) -> None:
    see(storage, None, advertiser_key=OTHER)
    for number in range(2):
        see(storage, told_as(number), at_ms=NOW_MS + number)
    storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS + 2))
    for number in range(3, MOST_PROOFS + 2):
        see(storage, told_as(number), at_ms=NOW_MS + number)
    kept = given(storage)
    assert len(kept) == MOST_PROOFS
    assert kept[0] == (ADVERTISER, told_as(1).digest, 1, NOW_MS + 2, "withdrawn")
    assert all(ended_by is None for *_, ended_by in kept[1:])


def test_two_tools_that_speak_in_turn_are_two_proofs(storage: Storage) -> None:
    for at_ms in range(NOW_MS, NOW_MS + 3 * MOST_PROOFS, 2):
        see(storage, BANNER, at_ms=at_ms)
        see(storage, STRING, at_ms=at_ms + 1)
    assert given(storage) == [(ADVERTISER, 11, 0, None, None), (ADVERTISER, 22, 1, None, None)]


def test_a_shop_that_leaves_a_full_profile_leaves_its_consent_ended(storage: Storage) -> None:
    see(storage)
    for number in range(MOST_SHOPS):
        see(storage, None, at_ms=NOW_MS + 1 + number, advertiser_key=OTHER + number)
    assert given(storage) == [(ADVERTISER, 11, 0, NOW_MS + MOST_SHOPS, "expired")]


def test_a_withdrawal_within_a_batch_comes_in_its_turn(storage: Storage) -> None:
    view = StoreEvent(1, ADVERTISER, VISITOR, False, make_event(), NOW_MS, proof=BANNER)
    again = msgspec.structs.replace(view, event_key=2)
    outcomes = storage.writer.commit_all([view, Withdraw(VISITOR, ADVERTISER, NOW_MS), again], False)  # type: ignore[union-attr]
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED, Result.FORGOTTEN, Result.ACCEPTED]
    assert held(storage) == set()
    assert rows_of(storage, "SELECT visitor_key FROM events") == [(0,)]


def test_a_pixel_that_races_an_opt_out_leaves_the_receipt_that_was_given(storage: Storage) -> None:
    see(storage)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    assert storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS + 5)).result is Result.FORGOTTEN
    storage.writer.commit(ForgetVisitor(VISITOR, 0, NOW_MS + 6))
    assert rows_of(storage, "SELECT receipt_key, at_ms FROM erasures") == [(77, NOW_MS + 6)]
    storage.writer.commit(ForgetVisitor(VISITOR, 78, NOW_MS + 7))
    assert rows_of(storage, "SELECT receipt_key, at_ms FROM erasures") == [(78, NOW_MS + 7)]


@pytest.mark.parametrize(
    "write",
    [
        ForgetVisitor(VISITOR, 77, NOW_MS, if_credited=True),
        Withdraw(VISITOR, ADVERTISER, NOW_MS, if_credited=True),
    ],
)
def test_nothing_is_erased_while_an_order_waits_if_it_must_not(
    storage: Storage, write: ForgetVisitor | Withdraw
) -> None:
    see(storage)
    storage.writer.commit(make_order_event(100, 5, visitor_key=VISITOR))
    before = held(storage)
    assert storage.writer.commit(write).result is Result.UNCREDITED
    assert held(storage) == before
    assert rows_of(storage, "SELECT * FROM erasures") == []
    see(storage)
    assert rows_of(storage, "SELECT COUNT(*) FROM events WHERE visitor_key = 0") == [(0,)]
    assert [one.conversion_key for one in storage.conversions.new_of(VISITOR)] == [100]
    assert storage.conversions.new_of(VISITOR + 1) == []
    storage.writer.commit(credit_by_pixel(100, reserve=True))
    assert storage.conversions.new_of(VISITOR) == []
    assert storage.writer.commit(write).result in (Result.SAVED, Result.FORGOTTEN)
    assert held(storage) == set()


VISITORS_TABLES = (
    Aged.EVENTS,
    Aged.PROFILES,
    Aged.AD_EVENTS,
    Aged.DECISIONS,
    Aged.DECISION_SAMPLES,
    Aged.CONVERSIONS,
    Aged.OFFER_CODES,
    Aged.JOURNEYS,
    Aged.GHOSTS,
    Aged.EXPERIMENT_VISITORS,
    Aged.EXPERIMENT_ORDERS,
    Aged.SUPPRESSED,
)


@pytest.mark.parametrize("last", VISITORS_TABLES)
def test_the_tables_tell_whether_anything_names_a_visitor_and_whose_it_is(
    storage: Storage, last: Aged
) -> None:
    live(storage)
    for what in VISITORS_TABLES:
        if what is not last:
            storage.writer.commit(PurgeAged(what, NOW_MS + 400 * DAY_MS, 100))
    assert held(storage) == {last.value}
    assert storage.profiles.holds(VISITOR) and not storage.profiles.holds(VISITOR + 1)
    is_of_one_shop = last not in (Aged.PROFILES, Aged.DECISION_SAMPLES)  # their bodies are not asked
    assert storage.profiles.holds(VISITOR, ADVERTISER) == is_of_one_shop
    assert not storage.profiles.holds(VISITOR, OTHER)
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    assert not storage.profiles.holds(VISITOR) and not storage.profiles.holds(VISITOR, ADVERTISER)


def live(storage: Storage) -> None:
    """Something in every table that can name a visitor."""
    see(storage)
    storage.writer.commit(make_sample(1, VISITOR))
    storage.writer.commit(RecordDecision(1, NOW_MS, SLOT, CAMPAIGN, 700, VISITOR, (9,), 44, "the token"))
    storage.writer.commit(make_ghost(visitor_key=VISITOR))
    storage.writer.commit(RecordAd((make_record(1, AdEvent.CLICK, visitor_key=VISITOR),)))
    storage.writer.commit(make_order_event(100, 5, visitor_key=VISITOR))
    storage.writer.commit(credit_by_pixel(100, reserve=True))
    storage.writer.commit(ListVisitors(94, ADVERTISER, 1, (VISITOR,), NOW_MS))
    storage.writer.commit(HandCode(93, ADVERTISER, 1, "abc", VISITOR, NOW_MS, None, 10, None, ("CODE-1",)))
    roll_up_funnel(storage)
    assert held(storage) == {table.name for table in VISITOR_TABLES}
