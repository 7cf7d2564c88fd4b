"""Money under way is expected until it is answered or too old, weighed with how many ads are answered."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.in_flight import (
    AGES_MS,
    IN_FLIGHT_MS,
    MEMORY_ADS,
    NOTHING_EXPECTED,
    PATIENCE_MS,
    PRIOR_ADS,
    PRIOR_LATE,
    Expected,
    InFlight,
    Unconfirmed,
    summed,
)
from adserver.domain.money import Micros
from tests.domain.makers import NOW_MS

PRICE = Micros(1_000)
ONE, OTHER = 70, 71  # campaigns


def micros(in_flight: InFlight, campaign_key: int = ONE) -> int:
    expected = in_flight.expected(campaign_key)
    return expected.micros if expected else 0


def rate(in_flight: InFlight, campaign_key: int = ONE) -> float:
    expected = in_flight.expected(campaign_key)
    assert expected is not None
    return expected.rate


def make_served(count: int, chance: float = 1.0, now_ms: int = NOW_MS) -> InFlight:
    """Ads 1, 2, ... of one campaign that went out at the same moment."""
    in_flight = InFlight()
    for impression_id in range(1, count + 1):
        in_flight.add(ONE, impression_id, PRICE, chance, now_ms)
    return in_flight


def test_what_was_served_is_expected_until_it_is_answered() -> None:
    in_flight = make_served(2)
    in_flight.add(OTHER, 3, Micros(500), 1.0, NOW_MS)
    in_flight.answered(ONE, 1, NOW_MS)
    assert micros(in_flight) == PRICE
    assert micros(in_flight, OTHER) == 500
    assert in_flight.expected(72) is None
    assert in_flight.campaigns() == {ONE, OTHER}


def test_what_is_under_way_is_weighed_with_its_chance() -> None:
    assert make_served(30, chance=0.1).expected(ONE) == Expected(Micros(3_000), 0.1)


def test_an_answer_counts_once_and_only_for_its_own_ad() -> None:
    in_flight = make_served(2)
    in_flight.add(OTHER, 3, PRICE, 1.0, NOW_MS)
    in_flight.answered(ONE, 9, NOW_MS)
    in_flight.answered(OTHER, 1, NOW_MS)
    assert micros(in_flight) == 2 * PRICE
    for _ in range(3):
        in_flight.answered(ONE, 1, NOW_MS)
    assert micros(in_flight) == PRICE


@pytest.mark.parametrize("answered_before", [True, False])
def test_an_ad_that_is_told_again_is_expected_once(answered_before: bool) -> None:
    """A batch is sent again after a crash."""
    in_flight = make_served(1)
    if answered_before:
        in_flight.answered(ONE, 1, NOW_MS)
    in_flight.add(ONE, 1, PRICE, 1.0, NOW_MS + 5)
    assert micros(in_flight) == (0 if answered_before else PRICE)


def test_an_ad_whose_answer_was_told_first_is_not_expected() -> None:
    """The answer went to another worker, whose batch was the quicker one."""
    in_flight = make_served(1, chance=0.5)
    before = rate(in_flight)
    in_flight.answered(ONE, 2, NOW_MS)
    in_flight.add(ONE, 2, PRICE, 0.5, NOW_MS + 1)
    assert micros(in_flight) == int(PRICE * rate(in_flight))
    assert rate(in_flight) > before


def test_what_is_not_answered_in_half_a_minute_is_not_expected() -> None:
    in_flight = make_served(1)
    in_flight.add(ONE, 2, PRICE, 1.0, NOW_MS + 1)
    in_flight.expire(NOW_MS + IN_FLIGHT_MS - 1)
    both = micros(in_flight)
    in_flight.expire(NOW_MS + IN_FLIGHT_MS)
    assert 0 < micros(in_flight) == both // 2
    in_flight.expire(NOW_MS + IN_FLIGHT_MS + 1)
    assert micros(in_flight) == 0
    in_flight.answered(ONE, 1, NOW_MS + IN_FLIGHT_MS + 1)  # too late to be taken off again
    assert micros(in_flight) == 0


def test_ads_that_went_out_just_now_do_not_lower_the_rate() -> None:
    in_flight = make_served(500, chance=0.01)
    for impression_id in range(1, 101):
        in_flight.answered(ONE, impression_id, NOW_MS)
    in_flight.expire(NOW_MS + PATIENCE_MS - 1)
    assert rate(in_flight) > 0.9
    in_flight.expire(NOW_MS + PATIENCE_MS)
    assert rate(in_flight) == pytest.approx(0.2, rel=0.3)


@pytest.mark.parametrize("chance", [0.01, 1.0])
def test_the_rate_is_never_less_than_what_was_expected(chance: float) -> None:
    in_flight = make_served(500, chance)
    in_flight.expire(NOW_MS + PATIENCE_MS)
    assert in_flight.expected(ONE) == Expected(Micros(int(500 * PRICE * chance)), chance)


def test_a_campaign_whose_every_ad_is_clicked_is_weighed_so_whatever_was_expected() -> None:
    in_flight = make_served(200, chance=0.01)
    for impression_id in range(1, 101):
        in_flight.answered(ONE, impression_id, NOW_MS + 1)
    assert rate(in_flight) > 0.9
    assert micros(in_flight) > 0.9 * 100 * PRICE


@pytest.mark.parametrize("true_rate", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("delay_ms", [200, 5_000])
def test_the_rate_is_learnt_however_late_the_answers_come(true_rate: float, delay_ms: int) -> None:
    dice, in_flight = random.Random(5), InFlight()
    for number in range(6 * MEMORY_ADS):
        now_ms = NOW_MS + number * 10
        in_flight.add(ONE, number, PRICE, 0.01, now_ms)
        answered = number - delay_ms // 10
        if answered >= 0 and dice.random() < true_rate:
            in_flight.answered(ONE, answered, now_ms)
    assert rate(in_flight) == pytest.approx(true_rate, rel=0.3)


def test_what_was_learnt_long_ago_is_forgotten() -> None:
    in_flight = make_served(2 * MEMORY_ADS)
    for impression_id in range(1, 2 * MEMORY_ADS + 1):
        in_flight.answered(ONE, impression_id, NOW_MS)
    assert rate(in_flight) > 0.99
    for number in range(4 * MEMORY_ADS):
        in_flight.add(ONE, -number - 1, PRICE, 0.0, NOW_MS)
    in_flight.expire(NOW_MS + PATIENCE_MS)
    assert rate(in_flight) < 0.03


def test_changes_are_noted_of_the_campaign_they_happen_to_until_they_are_read() -> None:
    in_flight = make_served(1)
    in_flight.add(OTHER, 2, PRICE, 1.0, NOW_MS)
    changes = []
    for step in (
        lambda: None,
        lambda: in_flight.answered(ONE, 1, NOW_MS),
        lambda: in_flight.answered(ONE, 1, NOW_MS),
        lambda: in_flight.expire(NOW_MS + PATIENCE_MS),
        lambda: in_flight.expire(NOW_MS + IN_FLIGHT_MS),
    ):
        step()
        changes.append(set(in_flight.changed))
        in_flight.changed.clear()
    assert changes == [{ONE, OTHER}, {ONE}, set(), {OTHER}, {OTHER}]


def test_answers_of_a_campaign_that_was_never_weighed_are_not_kept() -> None:
    in_flight = InFlight()
    in_flight.answered(ONE, 1, NOW_MS)
    assert in_flight.campaigns() == set() and in_flight.changed == set()


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "answered", "wait"]),
        st.sampled_from([ONE, OTHER]),
        st.integers(min_value=1, max_value=6),
        st.integers(min_value=1, max_value=100),
        st.sampled_from([0, 1, PATIENCE_MS, IN_FLIGHT_MS // 2, IN_FLIGHT_MS]),
    ),
    max_size=40,
)


class Plain:
    """What is under way, as a plain list: each impression's campaign, price, and when it was first heard of."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int, int]] = {}
        self.unserved: set[int] = set()
        self.quick: dict[int, list[int]] = {}  # by campaign, the ages of its answers
        self.now_ms = NOW_MS

    def age_of(self, impression_id: int) -> int:
        return sum(self.now_ms - self.rows[impression_id][2] >= age_ms for age_ms in AGES_MS)

    def wait(self, gap_ms: int) -> None:
        self.now_ms += gap_ms
        self.rows = {key: row for key, row in self.rows.items() if row[2] + IN_FLIGHT_MS > self.now_ms}

    def add(self, campaign_key: int, impression_id: int, price: int) -> None:
        answers = self.quick.setdefault(campaign_key, [])
        if impression_id not in self.rows:
            self.rows[impression_id] = (campaign_key, price, self.now_ms)
        elif impression_id in self.unserved:
            self.unserved.discard(impression_id)
            answers.append(self.age_of(impression_id))

    def answer(self, campaign_key: int, impression_id: int) -> None:
        if campaign_key not in self.quick:
            return
        if impression_id not in self.rows:
            self.rows[impression_id] = (campaign_key, 0, self.now_ms)
            self.unserved.add(impression_id)
        elif self.rows[impression_id][1]:
            self.quick[campaign_key].append(self.age_of(impression_id))
            self.rows[impression_id] = (campaign_key, 0, self.rows[impression_id][2])

    def expected(self, campaign_key: int, rate: float) -> float:
        """Each price by r (1 - F) / (1 - r F), F of as many late answers as the prior weighs."""
        answers, micros = self.quick[campaign_key], 0.0
        for impression_id, (owner, price, _) in self.rows.items():
            if owner == campaign_key:
                age = self.age_of(impression_id)
                share = sum(quick < age for quick in answers) / (len(answers) + PRIOR_LATE)
                micros += price * rate * (1 - share) / (1 - rate * share)
        return micros


@given(steps)
def test_the_prices_under_way_are_those_of_a_plain_list(story: list[tuple[str, int, int, int, int]]) -> None:
    """In whatever order they are told; an impression belongs to one campaign."""
    in_flight, plain = InFlight(), Plain()
    for what, campaign_key, number, price, gap_ms in story:
        impression_id = campaign_key * 10 + number
        plain.wait(gap_ms)
        in_flight.expire(plain.now_ms)
        plain.unserved &= plain.rows.keys()
        if what == "add":
            in_flight.add(campaign_key, impression_id, Micros(price), 0.5, plain.now_ms)
            plain.add(campaign_key, impression_id, price)
        elif what == "answered":
            in_flight.answered(campaign_key, impression_id, plain.now_ms)
            plain.answer(campaign_key, impression_id)
        for key in plain.quick:
            expected = in_flight.expected(key)
            assert expected is not None and 0.0 <= expected.rate <= 1.0
            assert expected.micros == pytest.approx(plain.expected(key, expected.rate), abs=1)


@given(steps, st.data())
def test_the_most_that_may_be_under_way_is_never_less_than_what_is(
    story: list[tuple[str, int, int, int, int]], data: st.DataObject
) -> None:
    """However long ago it was reckoned."""
    in_flight, now_ms = InFlight(), NOW_MS
    for what, campaign_key, number, price, gap_ms in story:
        impression_id = campaign_key * 10 + number
        now_ms += gap_ms
        if what == "add":
            chance = data.draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]))
            in_flight.add(campaign_key, impression_id, Micros(price), chance, now_ms)
        elif what == "answered":
            in_flight.answered(campaign_key, impression_id, now_ms)
        told = [(in_flight.most_expected(key), key) for key in in_flight.campaigns()]
        in_flight.expire(now_ms)
        for most, key in [*told, *((in_flight.most_expected(key), key) for _, key in told)]:
            expected = in_flight.expected(key)
            assert most is not None and expected is not None
            assert most.micros >= expected.micros and most.rate >= expected.rate


@given(steps, st.data())
def test_the_most_of_an_advertiser_is_that_of_its_campaigns_together(
    story: list[tuple[str, int, int, int, int]], data: st.DataObject
) -> None:
    """Whenever it was asked before; and so is what another process sums up of the news."""
    in_flight, now_ms = InFlight(), NOW_MS
    heard: dict[int, Expected] = {}
    sums: dict[int, Expected] = {}
    for what, campaign_key, number, price, gap_ms in story:
        impression_id = campaign_key * 10 + number
        now_ms += gap_ms
        if what == "add":
            in_flight.add(campaign_key, impression_id, Micros(price), 0.5, now_ms, campaign_key % 2 + 1)
        elif what == "answered":
            in_flight.answered(campaign_key, impression_id, now_ms)
        in_flight.expire(now_ms)
        keys = {key for key in in_flight.campaigns() if data.draw(st.booleans())}
        news = {key: expected for key in keys if (expected := in_flight.expected(key)) is not None}
        sums |= summed(sums, heard, news)
        heard |= news
        for owner_key in (1, 2):
            own = [key for key in in_flight.campaigns() if key % 2 + 1 == owner_key]
            if data.draw(st.booleans()):
                most = [in_flight.most_expected(key) for key in own]
                assert in_flight.most_of(owner_key).micros == sum(one.micros for one in most if one)
            told = sum(expected.micros for key, expected in heard.items() if key in own)
            assert sums.get(owner_key, NOTHING_EXPECTED).micros == told


def test_unconfirmed_ads_of_an_advertiser_weigh_as_if_each_worker_had_as_many_and_all_were_answered() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(ONE, 1, PRICE, 0.1, 7)
    unconfirmed.add(ONE + 1, 2, PRICE, 0.1, 7)
    unconfirmed.add(ONE + 2, 3, PRICE, 0.1, 8)
    assert unconfirmed.most_of(7, Expected(Micros(5), 1.0, 3, 7)) == 5 + 2 * PRICE * 3
    unconfirmed.confirm(ONE, 1, 7)
    assert unconfirmed.most_of(7, NOTHING_EXPECTED) == PRICE
    assert unconfirmed.most_of(9, NOTHING_EXPECTED) == 0


def test_of_what_is_too_old_or_answered_nothing_may_be_under_way() -> None:
    in_flight = make_served(3)
    assert in_flight.most_expected(ONE) == Expected(Micros(3 * PRICE + 1), 1.0)
    in_flight.answered(ONE, 1, NOW_MS)
    assert in_flight.most_expected(ONE) == Expected(Micros(2 * PRICE + 1), 1.0)
    in_flight.expire(NOW_MS + IN_FLIGHT_MS)
    assert in_flight.most_expected(ONE) == Expected(Micros(0), 1.0)
    in_flight.workers = 4
    assert in_flight.most_expected(ONE) == Expected(Micros(0), 1.0, 4)


def test_an_ad_that_is_older_than_others_were_at_their_answer_is_expected_less() -> None:
    in_flight = make_served(1_000, chance=0.5)
    for impression_id in range(1, 501):
        in_flight.answered(ONE, impression_id, NOW_MS + 100)
    young = micros(in_flight)
    weights = []
    for age_ms in AGES_MS:
        in_flight.expire(NOW_MS + age_ms - 1)
        weights.append(micros(in_flight) / young)
    in_flight.expire(NOW_MS + IN_FLIGHT_MS)
    assert micros(in_flight) == 0
    assert weights[0] == 1.0 and weights == sorted(weights, reverse=True)
    assert max(weights[3:]) < 0.1  # and nobody's silence is known before PATIENCE_MS


def test_an_old_ad_is_expected_in_full_while_no_answer_was_quicker() -> None:
    in_flight = make_served(100, chance=0.5)
    in_flight.expire(NOW_MS + IN_FLIGHT_MS - 1)
    assert micros(in_flight) == 100 * PRICE // 2


def test_answers_that_come_late_keep_old_ads_expected() -> None:
    """Clicks of an ad that people read for ten seconds first."""
    in_flight, late_ms = make_served(1_000, chance=0.5), 10_000
    for impression_id in range(1, 501):
        in_flight.answered(ONE, impression_id, NOW_MS + late_ms)
    for number in range(100):
        in_flight.add(ONE, 2_000 + number, PRICE, 0.5, NOW_MS + late_ms)
    in_flight.expire(NOW_MS + late_ms + 15_999)
    expected = micros(in_flight)
    in_flight.expire(NOW_MS + late_ms + IN_FLIGHT_MS - 1)
    assert 0.4 * 100 * PRICE < expected and micros(in_flight) < 0.1 * expected


def test_a_workers_own_ads_are_expected_until_the_writer_has_them() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(ONE, 1, PRICE, 0.5)
    unconfirmed.add(ONE, 2, PRICE, 0.5)
    assert unconfirmed.expected(ONE, None) == PRICE  # no word of the writer's: by the prior chance
    assert unconfirmed.expected(ONE, Expected(Micros(40), 0.1)) == 40 + 200
    unconfirmed.confirm(ONE, 1)
    unconfirmed.confirm(ONE, 1)
    assert unconfirmed.expected(ONE, Expected(Micros(40), 0.1)) == 40 + 100
    assert unconfirmed.expected(OTHER, None) == 0
    assert unconfirmed.expected(OTHER, Expected(Micros(7), 1.0)) == 7


def test_of_several_workers_each_takes_the_others_to_have_as_many_unconfirmed_ads() -> None:
    in_flight = make_served(1, chance=0.5)
    in_flight.workers = 3
    unconfirmed = Unconfirmed()
    unconfirmed.add(ONE, 2, PRICE, 0.5)
    assert unconfirmed.expected(ONE, in_flight.expected(ONE)) == 500 + 3 * 500


def test_the_prior_weighs_as_much_as_so_many_ads() -> None:
    in_flight = make_served(PRIOR_ADS, chance=0.5)
    for impression_id in range(1, PRIOR_ADS + 1):
        in_flight.answered(ONE, impression_id, NOW_MS)
    assert rate(in_flight) == pytest.approx(0.75, rel=0.01)


@given(st.integers(0, 2**32))
def test_what_is_asked_at_every_step_is_what_is_asked_once(seed: int) -> None:
    """Figures are reckoned again only after a change; nothing that changes them is forgotten."""
    dice, asked, silent = random.Random(seed), InFlight(), InFlight()
    now_ms = NOW_MS
    for _ in range(60):
        now_ms += dice.choice((0, 1, 400, 2_000))
        campaign, ad, chance = dice.choice((ONE, OTHER)), dice.randrange(12), dice.random()
        step = dice.randrange(4)
        for in_flight in (asked, silent):
            if step < 2:
                in_flight.add(campaign, ad, PRICE, chance, now_ms)
            elif step == 2:
                in_flight.answered(campaign, ad, now_ms)
            else:
                in_flight.expire(now_ms)
        told = [asked.expected(key) for key in (ONE, OTHER)]
    assert told == [silent.expected(key) for key in (ONE, OTHER)]
