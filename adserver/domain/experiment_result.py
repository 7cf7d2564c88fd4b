"""What an experiment has shown so far: each arm beside the first, and whether that may be believed."""

from collections.abc import Mapping

import msgspec

from adserver.domain.comparison import Comparison, Sizes, compare, sizes_of
from adserver.domain.experiment import Experiment, Metric
from adserver.domain.participant import Sums


class ExperimentResult(msgspec.Struct, frozen=True):
    """An experiment's arms in their order; `comparisons` has, for each arm but the first, every metric."""

    arms: tuple[Sums, ...]
    sizes: Sizes
    comparisons: tuple[tuple[Comparison, ...], ...]
    said: str

    @property
    def visitors(self) -> int:
        return sum(arm.entered for arm in self.arms)


def result_of(experiment: Experiment, sums: Mapping[int, Sums]) -> ExperimentResult:
    """The figure that was chosen before the start speaks; with the arms' sizes wrong, nothing does."""
    arms = tuple(sums.get(number, Sums()) for number in range(len(experiment.arms)))
    sizes = sizes_of([arm.entered for arm in arms], [arm.share_bps for arm in experiment.arms])
    base_name = experiment.arms[0].name
    comparisons = tuple(
        tuple(compare(metric, arm.name, told, base_name, arms[0]) for metric in Metric)
        for arm, told in zip(experiment.arms[1:], arms[1:], strict=True)
    )
    chosen = [one.said for told in comparisons for one in told if one.metric is experiment.metric]
    return ExperimentResult(arms, sizes, comparisons, " ".join(chosen) if sizes.are_sound else sizes.said)
