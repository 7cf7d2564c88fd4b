"""A campaign's targeting: what it means, what is refused of it, and that an excluded value is never served."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.aim import Aim, Miss, aim_of
from adserver.domain.countries import COUNTRIES
from adserver.domain.eligibility import Refusal
from adserver.domain.hours import EVERY_HOUR, HOURS_OF_WEEK, hour_of, hours_from
from adserver.domain.page import NO_PAGE, Page, categories_from, words_from
from adserver.domain.targeting import (
    DIMENSIONS,
    NO_TARGETING,
    BadValue,
    Condition,
    Flaw,
    Targeting,
    flaw_of,
    read_value,
)
from tests.domain.makers import NOW_MS
from tests.domain.placing import VALUES, Placing
from tests.domain.plain_targeting import targeting_refusal

PARIS = Page(
    countries=frozenset({"FR"}),
    subdivisions=frozenset({"FR-IDF", "FR-75"}),
    devices=frozenset({"mobile"}),
    languages=frozenset({"fr"}),
    sites=frozenset({"site_1"}),
    publishers=frozenset({"pub_1"}),
    categories=categories_from("Sport > Football, IAB7-39", ("News",)),
    keywords=words_from("Cup final, boots"),
)


def only(*values: str) -> Condition:
    return Condition(values)


def never(*values: str) -> Condition:
    return Condition((), values)


def missed(targeting: Targeting, page: Page = PARIS, now_ms: int = NOW_MS) -> Miss | None:
    aim = aim_of(targeting, "UTC")
    assert aim is not None
    return aim.miss(page, now_ms)


@pytest.mark.parametrize(
    ("targeting", "said"),
    [
        (Targeting(countries=only("BE", "FR")), None),
        (Targeting(countries=only("BE")), "country_not_targeted"),
        (Targeting(countries=never("FR")), "country_not_targeted"),
        (Targeting(countries=never("BE")), None),
        (Targeting(countries=only("FR"), subdivisions=never("FR-75")), "subdivision_not_targeted"),
        (Targeting(subdivisions=only("FR-IDF")), None),
        (Targeting(subdivisions=only("FR-ARA")), "subdivision_not_targeted"),
        (Targeting(devices=only("desktop", "tv")), "device_not_targeted"),
        (Targeting(languages=only("fr")), None),
        (Targeting(languages=never("fr")), "language_not_targeted"),
        (Targeting(sites=only("site_2")), "site_not_targeted"),
        (Targeting(publishers=never("pub_1")), "publisher_not_targeted"),
        (Targeting(categories=only("sport")), None),
        (Targeting(categories=only("Sport > Football > Women")), "category_not_targeted"),
        (Targeting(categories=never("News")), "category_not_targeted"),
        (Targeting(categories=only("IAB7")), None),
        (Targeting(categories=only("IAB7-3")), "category_not_targeted"),
        (Targeting(keywords=only("cup final")), None),
        (Targeting(keywords=only("cup")), "keyword_not_targeted"),
        (Targeting(keywords=Condition(("boots",), ("cup final",))), "keyword_not_targeted"),
        (Targeting(hours=only("wed 11-12")), None),
        (Targeting(hours=only("wed 12-13")), "hour_not_targeted"),
        (Targeting(hours=never("mon-fri 08-20")), "hour_not_targeted"),
    ],
)
def test_what_a_targeting_says_of_a_page_in_paris(targeting: Targeting, said: str | None) -> None:
    assert missed(targeting) == said


@pytest.mark.parametrize(
    "name", [name for name in DIMENSIONS if name not in ("hours", "sites", "publishers")]
)
def test_what_nobody_knows_is_refused_where_it_is_asked_for_and_passes_where_it_is_excluded(
    name: str,
) -> None:
    value = VALUES[name][0]
    assert str(missed(Targeting(**{name: only(value)}), NO_PAGE)).endswith("_unknown")
    assert missed(Targeting(**{name: never(value)}), NO_PAGE) is None


def test_each_miss_is_a_refusal_of_the_same_name() -> None:
    assert {miss.value for miss in Miss} <= {refusal.value for refusal in Refusal}


@given(st.integers(0, 100_000))
def test_every_targeting_is_judged_as_the_plain_rule_says(seed: int) -> None:
    placing = Placing(seed * 6)
    page, targeting = placing.page(), placing.any_targeting()
    aim = aim_of(targeting, "UTC")
    assert aim is not None
    assert aim.miss(page, NOW_MS) == targeting_refusal(targeting, page, NOW_MS)


@given(st.integers(0, 100_000), st.sampled_from([name for name in DIMENSIONS if name != "hours"]))
def test_a_page_with_an_excluded_value_is_never_served_whatever_else_is_asked(seed: int, name: str) -> None:
    placing = Placing(seed * 6)
    page, targeting = placing.page(), placing.any_targeting()
    stated = {" > ".join(one) if isinstance(one, tuple) else one for one in getattr(page, name)}
    excluded = Targeting(
        **{one: getattr(targeting, one) for one in DIMENSIONS} | {name: never(*VALUES[name])}
    )
    assert bool(missed(excluded, page)) or not stated


def test_campaigns_that_ask_the_same_have_their_question_in_common() -> None:
    one, other = (Targeting(countries=only("FR"), hours=only("mon")) for _ in range(2))
    assert aim_of(one, "UTC") is aim_of(other, "UTC")
    assert aim_of(one, "UTC") is not aim_of(one, "Europe/Paris")
    assert aim_of(NO_TARGETING, "UTC") is None


def test_hours_are_those_of_the_advertisers_own_day_when_clocks_change_too() -> None:
    """On 25 October 2026 the hour from 2 to 3 comes twice in Paris, and Kathmandu is 5:45 ahead."""
    for text, zone in (("2026-10-25T00:30", "Europe/Paris"), ("2026-10-25T01:30", "Europe/Paris"),
                       ("2026-11-18T11:46", "Asia/Kathmandu"), ("2026-11-18T18:20", "Asia/Kathmandu")):  # fmt: skip
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
        local = at.astimezone(ZoneInfo(zone))
        assert hour_of(int(at.timestamp() * 1000), zone) == 1 << local.weekday() * 24 + local.hour
    aim = aim_of(Targeting(hours=only("wed 12-13")), "Europe/Paris")
    assert isinstance(aim, Aim)
    assert aim.miss(PARIS, NOW_MS) is None  # 11:46 in UTC


@pytest.mark.parametrize(
    ("value", "hours"),
    [
        ("mon 08-20", range(8, 20)),
        ("sun 00-24", range(144, 168)),
        ("sat", range(120, 144)),
        ("mon-wed 00-01", (0, 24, 48)),
        ("fri 22-02", (118, 119, 120, 121)),
        ("sun 23-01", (167, 0)),
        ("sat-mon 05-06", (125, 149, 5)),
    ],
)
def test_the_hours_of_a_value(value: str, hours: range | tuple[int, ...]) -> None:
    assert hours_from(value) == sum(1 << hour for hour in hours)


@given(st.integers(0, HOURS_OF_WEEK - 1))
def test_each_hour_of_a_week_is_one_bit_of_it(hour: int) -> None:
    assert EVERY_HOUR >> hour & 1
    monday_ms = 1_794_787_200_000  # 2026-11-16
    assert hour_of(monday_ms + hour * 3_600_000, "UTC") == 1 << hour


@pytest.mark.parametrize(
    ("name", "given_", "read"),
    [
        ("countries", " fr ", "FR"),
        ("countries", "UK", BadValue(Flaw.UNKNOWN_COUNTRY, "GB")),
        ("countries", "ZZ", BadValue(Flaw.UNKNOWN_COUNTRY)),
        ("countries", "", BadValue(Flaw.UNKNOWN_COUNTRY)),
        ("subdivisions", "fr-idf", "FR-IDF"),
        ("subdivisions", "IDF", BadValue(Flaw.BAD_SUBDIVISION)),
        ("subdivisions", "UK-ENG", BadValue(Flaw.BAD_SUBDIVISION, "GB-ENG")),
        ("subdivisions", "FR-", BadValue(Flaw.BAD_SUBDIVISION)),
        ("devices", "Mobile", "mobile"),
        ("devices", "iPad", BadValue(Flaw.UNKNOWN_DEVICE, "tablet")),
        ("languages", "FR", "fr"),
        ("languages", "pt-BR", BadValue(Flaw.BAD_LANGUAGE, "pt")),
        ("languages", "french", BadValue(Flaw.BAD_LANGUAGE)),
        ("hours", "Mon  08-20", "mon 08-20"),
        ("hours", "mon 8-20", BadValue(Flaw.BAD_HOURS)),
        ("hours", "mon 08-25", BadValue(Flaw.BAD_HOURS)),
        ("hours", "mon 08-08", BadValue(Flaw.BAD_HOURS)),
        ("hours", "someday", BadValue(Flaw.BAD_HOURS)),
        ("sites", "site_1", BadValue(Flaw.BAD_SITE)),
        ("sites", "site_0123456789abc", "site_0123456789abc"),
        ("publishers", "site_0123456789abc", BadValue(Flaw.BAD_PUBLISHER)),
        ("categories", "Sport > Football", "Sport > Football"),
        ("categories", ">", BadValue(Flaw.BAD_CATEGORY)),
        ("categories", "someone@example.com", BadValue(Flaw.BAD_CATEGORY)),
        ("keywords", "  Rain   Coat ", "rain coat"),
        ("keywords", "someone@example.com", BadValue(Flaw.BAD_KEYWORD)),
        ("keywords", "0612345678", BadValue(Flaw.BAD_KEYWORD)),
        ("keywords", "x" * 41, BadValue(Flaw.BAD_KEYWORD)),
    ],
)
def test_a_value_is_read_in_one_spelling_or_refused_by_name(
    name: str, given_: str, read: str | BadValue
) -> None:
    assert read_value(name, given_) == read


@given(st.sampled_from(DIMENSIONS), st.text(max_size=130))
def test_whatever_is_given_as_a_value_is_read_or_refused_and_reads_the_same_again(
    name: str, text: str
) -> None:
    read = read_value(name, text)
    assert isinstance(read, BadValue) or read_value(name, read) == read


@pytest.mark.parametrize(
    ("targeting", "flaw"),
    [
        (Targeting(countries=Condition(("FR",), ("FR",))), Flaw.VALUE_TWICE),
        (Targeting(countries=only("FR"), subdivisions=only("BE-WAL")), Flaw.NEVER_MET),
        (Targeting(countries=never("BE"), subdivisions=only("BE-WAL")), Flaw.NEVER_MET),
        (Targeting(hours=Condition(("mon 08-12",), ("mon",))), Flaw.NEVER_MET),
        (Targeting(hours=never("mon-sun")), Flaw.NEVER_MET),
        (Targeting(countries=only("FR"), subdivisions=only("BE-WAL", "FR-IDF")), None),
        (Targeting(hours=Condition(("mon 08-12",), ("mon 09-10",))), None),
        (NO_TARGETING, None),
    ],
)
def test_a_targeting_that_contradicts_itself_is_refused(targeting: Targeting, flaw: Flaw | None) -> None:
    assert flaw_of(targeting) is flaw


def test_the_countries_are_those_of_the_standard() -> None:
    assert len(COUNTRIES) == 250
    assert {"GB", "GR", "XK"} <= COUNTRIES and COUNTRIES.isdisjoint({"UK", "EL", "EU", "ZZ"})


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (None, set()),
        ("", set()),
        (",,, ,", set()),
        ("Boots, RAIN  coat,boots", {"boots", "rain coat"}),
        ("café,日本,c++,rock'n'roll", {"café", "日本", "c++", "rock'n'roll"}),
        ("someone@example.com, +33612345678, <b>, a\x00b, ok", {"ok"}),
        ("%73omeone%40example.com", set()),
        (",".join(f"w{n}" for n in range(99)), {f"w{n}" for n in range(20)}),
    ],
)
def test_of_what_a_page_states_only_words_of_its_subject_are_read(
    stated: str | None, words: set[str]
) -> None:
    assert words_from(stated) == words


@given(st.text(max_size=400))
def test_no_stated_keyword_is_long_or_of_the_shape_of_an_address(stated: str) -> None:
    words = words_from(stated)
    assert len(words) <= 20 and all(len(word) <= 40 and "@" not in word for word in words)
    assert all(len(path) <= 120 for path in categories_from(stated, ()))
