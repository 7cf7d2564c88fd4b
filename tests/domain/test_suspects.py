"""Which days are odd: far from the others of the same place, and by enough to matter."""

from adserver.domain.suspects import DAY_MS, Day, day_of, judged


def days(*suspect: int, impressions: int = 1_000, clicks: tuple[int, ...] = ()) -> list[Day]:
    told = clicks or (10,) * len(suspect)
    return [
        day_of(
            at * DAY_MS,
            {"impressions": impressions, "clicks": told[at], "clicks_visitor_clicks": suspect[at]},
        )
        for at in range(len(suspect))
    ]


def test_a_day_far_above_the_others_is_odd_even_beside_another_such_day() -> None:
    found = judged(1, days(2, 3, 1, 90, 2, 80, 3, 2))
    assert list(found.much_suspect) == [3 * DAY_MS, 5 * DAY_MS]
    assert found.is_odd
    assert found.suspect == 183


def test_much_that_is_usual_there_is_not_odd() -> None:
    assert not judged(1, days(90, 80, 95, 88, 91, 86, 93)).is_odd


def test_a_few_more_are_nothing_where_there_were_none() -> None:
    assert not judged(1, days(0, 0, 0, 0, 0, 0, 9)).is_odd
    assert judged(1, days(0, 0, 0, 0, 0, 0, 10)).is_odd


def test_too_few_days_say_nothing() -> None:
    assert not judged(1, days(0, 0, 0, 0, 500)).is_odd


def test_many_more_clicks_for_each_impression_are_odd_and_a_busier_day_is_not() -> None:
    quiet = (0,) * 7
    found = judged(1, days(*quiet, clicks=(10, 11, 9, 10, 12, 10, 60)))
    assert (list(found.many_clicks), list(found.much_suspect)) == ([6 * DAY_MS], [])
    assert not judged(1, days(*quiet, clicks=(10, 11, 9, 10, 12, 10, 14))).is_odd
    assert not judged(1, days(*quiet, impressions=99, clicks=(1, 1, 1, 1, 1, 1, 90))).is_odd


def test_reasons_are_added_over_what_happened() -> None:
    day = day_of(
        0, {"clicks_too_soon": 2, "impressions_network_rate": 3, "viewable_impressions_network_rate": 4}
    )
    assert (day.suspect, day.reasons) == (9, {"network_rate": 7, "too_soon": 2})
