"""What comes next in sessions that nobody has learnt from: our recommender beside others, on click logs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter

from adserver.domain.recommendation import next_looks
from adserver.domain.walks import Walks
from tests.eval.baselines import LENGTH, Recommender, VmisKnn, co_view, popular, recently_viewed
from tests.eval.clicks import Sessions, known_only, read_journeys, read_log
from tests.eval.figures import Figure, Options
from tests.shared_data import SHARED_DATA

RESAMPLES = 1_000
SEED = 20_260_801
SECTION = "recommendation"
HIT_RATE, MEAN_RANK = f"HR@{LENGTH}", f"MRR@{LENGTH}"
Found = list[tuple[int, int, float]]  # of each session: how many clicks were guessed, hits, sum of 1 / rank


def run(options: Options) -> list[Figure]:
    """Of one's own clicks, or of the public logs with the bounds that hold for them."""
    if options.data is not None:
        return on_log(options.data, options.data.name)
    logs = SHARED_DATA / "clickstream"
    bounds = {HIT_RATE: (0.665, 0.70), MEAN_RANK: (0.385, 0.40)}
    serenade = on_log(logs / "serenade", "serenade", bounds)
    return serenade + on_journeys(logs / "taobao_journeys" / "events.csv")


def on_log(folder: Path, name: str, bounds: dict[str, tuple[float, float]] | None = None) -> list[Figure]:
    """Learnt from train.txt, told of test.txt; nothing else is read."""
    for needed in ("train.txt", "test.txt"):
        if not (folder / needed).is_file():
            raise SystemExit(f"{folder / needed} is not there: name a folder that has it, with DATA=folder")
    train, broken = read_log(folder / "train.txt")
    test, also_broken = read_log(folder / "test.txt")
    note = f"{broken + also_broken} rows were no clicks" if broken + also_broken else ""
    return _compared(name, train, test, bounds or {}, note)


def on_journeys(path: Path) -> list[Figure]:
    """The same code on a shop without clicks in common must beat the simple ones."""
    train, rest = read_journeys(path)
    test = known_only(rest, (product for session in train for product in session))
    figures = _compared("taobao", train, test, {}, "")
    best = {
        metric: max(one.value for one in figures if one.name.endswith(metric) and ", ours" not in one.name)
        for metric in (HIT_RATE, MEAN_RANK)
    }
    ours = {one.name.split()[-1]: one.value for one in figures if ", ours " in one.name}
    return figures + [
        Figure(
            SECTION, f"taobao, ours less the best other {metric}", ours[metric] - best[metric], at_least=0.0
        )
        for metric in (HIT_RATE, MEAN_RANK)
    ]


def _compared(
    name: str, train: Sessions, test: Sessions, bounds: dict[str, tuple[float, float]], note: str
) -> list[Figure]:
    test = [session for session in test if len(session) > 1]
    if not train or not test:
        return [Figure(SECTION, f"{name}, clicks to guess", 0, at_least=1, note="no sessions of two clicks")]
    ours, seconds = learn(train)
    figures = [Figure(SECTION, f"{name}, seconds to learn {len(train)} sessions", seconds)]
    took: list[float] = []
    found = guess(ours, test, took)
    for metric in (HIT_RATE, MEAN_RANK):
        low, high = interval(found, metric)
        at_least, aim = bounds.get(metric, (None, None))
        value = measure(found, metric)
        figures.append(
            Figure(SECTION, f"{name}, ours {metric}", value, low, high, at_least=at_least, aim=aim, note=note)
        )
    slow = sorted(took)[len(took) * 9 // 10] * 1000
    figures.append(Figure(SECTION, f"{name}, ours p90 of one in ms", slow, aim=1.0))
    others = (("recently viewed", recently_viewed), ("co-view", co_view), ("popular", popular),
              ("VMIS-kNN", VmisKnn))  # fmt: skip
    for label, make in others:
        guessed = guess(make(train), test)
        figures += [
            Figure(SECTION, f"{name}, {label} {metric}", measure(guessed, metric))
            for metric in (HIT_RATE, MEAN_RANK)
        ]
    return figures


def learn(train: Sessions) -> tuple[Recommender, float]:
    """Ours, as the server learns and asks; and how long it took."""
    begun = perf_counter()
    walks = Walks(train)
    for _ in walks.work():
        pass
    near = dict(walks.near())
    return partial(next_looks, near=near), perf_counter() - begun


def guess(recommend: Recommender, test: Sessions, took: list[float] | None = None) -> Found:
    """Each click of each session after the first, guessed of those before it."""
    found: Found = []
    for session in test:
        hits, ranks = 0, 0.0
        for place in range(1, len(session)):
            begun = perf_counter()
            guesses = recommend(list(dict.fromkeys(reversed(session[:place]))))[:LENGTH]
            if took is not None:
                took.append(perf_counter() - begun)
            if session[place] in guesses:
                hits += 1
                ranks += 1 / (guesses.index(session[place]) + 1)
        found.append((len(session) - 1, hits, ranks))
    return found


def measure(found: Sequence[tuple[int, int, float]], metric: str) -> float:
    guessed = sum(one[0] for one in found)
    return sum(one[1 if metric == HIT_RATE else 2] for one in found) / guessed


def interval(found: Found, metric: str) -> tuple[float, float]:
    """95 % of what it is if sessions are drawn anew: those of one visitor's clicks hang together."""
    dice = Random(SEED)
    drawn = sorted(measure(dice.choices(found, k=len(found)), metric) for _ in range(RESAMPLES))
    return drawn[RESAMPLES // 40], drawn[-RESAMPLES // 40]
