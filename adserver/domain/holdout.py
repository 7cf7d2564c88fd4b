"""An ad that won and is held out: who answers in its place, and what is said of those who may not."""

from collections.abc import Callable, Sequence

import msgspec

from adserver.domain.decision import Candidate, Decision, Heard, NoAd, Together
from adserver.domain.eligibility import Refusal

Candidates = Sequence[Candidate | Together]


def heard_for(
    candidates: Candidates,
    ask: Callable[[Candidates], Heard],
    holds_out: Callable[[int], bool],
) -> Heard:
    """What `ask` answers, and again without each advertiser that won and holds the visitor out."""
    heard = ask(candidates)
    while isinstance(heard.answer, Decision) and holds_out(heard.answer.campaign.advertiser_key):
        candidates = without(candidates, heard.answer.campaign.advertiser_key)
        again = ask(candidates)
        answer = after_ghost(heard.answer, again.answer, candidates)
        heard = msgspec.structs.replace(again, answer=answer)
    return heard


def with_all_ghosts(tried: Sequence[Heard]) -> Heard:
    """The last of several answers, with what was held out on the way to it: of each advertiser the first."""
    last = tried[-1].answer
    ghosts: dict[int, Decision] = {}
    for heard in tried:
        for ghost in heard.answer.ghosts:
            ghosts.setdefault(ghost.campaign.advertiser_key, ghost)
    if len(ghosts) == len(last.ghosts):
        return tried[-1]
    said = dict.fromkeys((ghost.campaign.key for ghost in ghosts.values()), Refusal.HOLDOUT)
    before = tuple(ghosts.values())
    if isinstance(last, NoAd):
        answer: Decision | NoAd = msgspec.structs.replace(last, refusals=last.refusals | said, ghosts=before)
    else:
        answer = msgspec.structs.replace(last, judged=last.judged | said, ghosts=before)
    return msgspec.structs.replace(tried[-1], answer=answer)


def without(candidates: Candidates, advertiser_key: int) -> list[Candidate | Together]:
    """All but an advertiser's."""
    return [one for one in candidates if _owner(one) != advertiser_key]


def _owner(candidate: Candidate | Together) -> int:
    if isinstance(candidate, Together):
        return candidate.joint.advertiser_key
    return candidate.contender.campaign.advertiser_key


def after_ghost(ghost: Decision, answer: Decision | NoAd, candidates: Candidates) -> Decision | NoAd:
    """The answer that was given without the ghost's advertiser, with what it would have been.

    `candidates` are those that were asked again: of all others, the first answer said why they lost.
    """
    again = {key for one in candidates for key in _campaigns(one)}
    said = {key: no for key, no in ghost.refusals.items() if key not in again}
    said[ghost.campaign.key] = Refusal.HOLDOUT
    before = (*ghost.ghosts, msgspec.structs.replace(ghost, ghosts=()))
    if isinstance(answer, NoAd):
        return msgspec.structs.replace(answer, refusals=said | answer.refusals, ghosts=before)
    return msgspec.structs.replace(answer, judged=said | answer.judged, ghosts=before)


def _campaigns(candidate: Candidate | Together) -> tuple[int, ...]:
    if isinstance(candidate, Together):
        return candidate.line_up.campaign_keys
    return (candidate.contender.campaign.key,)
