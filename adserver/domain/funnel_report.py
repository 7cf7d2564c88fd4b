"""What is told of a funnel: figures by step and group, and where people left, without giving away a few."""

from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.audience_reach import FEWEST_TOLD, told
from adserver.domain.funnel import FORM, SHOP, Group, Step

OTHER = "(other)"
UNKNOWN = "(unknown)"

Sums = Mapping[tuple[Group, Step], tuple[int, int]]  # visitors and events


class Figures(msgspec.Struct, frozen=True):
    """Both None where they would tell of fewer people than may be told of."""

    visitors: int | None = 0
    events: int | None = 0


HIDDEN = Figures(None, None)


class StepRow(msgspec.Struct, frozen=True):
    step: Step
    total: Figures
    groups: dict[Group, Figures]


class ExitRow(msgspec.Struct, frozen=True):
    """Who went no further than a step, by the page where they were last."""

    after: Step
    page: str
    visitors: int


def rows_of(steps: Sequence[Step], sums: Sums) -> list[StepRow]:
    return [_row_of(step, {group: sums.get((group, step), (0, 0)) for group in Group}) for step in steps]


def _row_of(step: Step, cells: Mapping[Group, tuple[int, int]]) -> StepRow:
    visitors, events = (sum(figures) for figures in zip(*cells.values(), strict=True))
    hidden = _hidden({group: count for group, (count, _) in cells.items()})
    groups = {group: HIDDEN if group in hidden else Figures(*cell) for group, cell in cells.items()}
    return StepRow(step, HIDDEN if told(visitors) is None else Figures(visitors, events), groups)


def _hidden(counts: Mapping[Group, int]) -> set[Group]:
    """Groups of a few; where the total would give them away, the largest of the others as well."""
    hidden = {group for group, count in counts.items() if told(count) is None}
    if 0 < sum(counts[group] for group in hidden) < FEWEST_TOLD:
        hidden.add(max(counts, key=lambda group: counts[group]))
    return hidden


def exits_of(sums: Sums, pages: Sequence[tuple[Step, str, int]]) -> list[ExitRow]:
    """The pages where most left after each step but the last; smaller ones are one row."""
    return [
        row for steps in (SHOP, FORM) for step in steps[:-1] for row in _exits_after(step, steps, sums, pages)
    ]


def _exits_after(
    step: Step, steps: Sequence[Step], sums: Sums, pages: Sequence[tuple[Step, str, int]]
) -> list[ExitRow]:
    left = _visitors(sums, step) - _visitors(sums, steps[steps.index(step) + 1])
    named = [
        ExitRow(step, page or UNKNOWN, count)
        for after, page, count in pages
        if after is step and count >= FEWEST_TOLD
    ]
    rest = left - sum(row.visitors for row in named)
    return [*named, ExitRow(step, OTHER, rest)] if rest > 0 else named


def _visitors(sums: Sums, step: Step) -> int:
    return sum(sums.get((group, step), (0, 0))[0] for group in Group)
