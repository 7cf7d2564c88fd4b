"""Counted refusals say, in one sentence and by the hour, why a campaign is not shown."""

from adserver.domain.eligibility import Refusal
from adserver.domain.refused import COUNTED, Hour, refused_of, summary
from tests.domain.makers import HOUR_MS

ROWS = [
    (0, "fills", 100),
    (0, "refused_not_in_audience", 500),
    (HOUR_MS, "refused_not_in_audience", 300),
    (HOUR_MS, "refused_budget_exhausted", 300),
    (HOUR_MS, "fills", 4),
]


def test_hours_hold_what_was_shown_and_each_reason() -> None:
    assert refused_of(ROWS).hours == [
        Hour(0, 100, {Refusal.NOT_IN_AUDIENCE: 500}),
        Hour(HOUR_MS, 4, {Refusal.NOT_IN_AUDIENCE: 300, Refusal.BUDGET_EXHAUSTED: 300}),
    ]


def test_the_sentence_says_how_many_could_have_shown_it_and_why_they_did_not() -> None:
    assert summary(refused_of(ROWS), "the last 24 hours") == (
        "In the last 24 hours 1,204 requests could have shown it: 104 did; 800 not in the audience; 300 with a"
        " budget used up."
    )


def test_rare_reasons_are_said_together() -> None:
    rows = [(0, f"refused_{refusal}", place + 1) for place, refusal in enumerate(list(Refusal)[:6])]
    assert summary(refused_of(rows), "these 2 hours").endswith("; 3 for other reasons.")


def test_where_nobody_asked_it_says_what_to_look_at() -> None:
    assert "no request could have shown it" in summary(refused_of([]), "the last 24 hours")


def test_a_winner_that_is_told_before_its_line_up_is_no_reason() -> None:
    assert refused_of([(0, "refused_outranked", -1), (0, "fills", 1)]).hours == [Hour(0, 1, {})]


def test_each_refusal_is_among_what_is_counted() -> None:
    assert len(COUNTED) == 1 + len(Refusal)
