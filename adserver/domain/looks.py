"""How a creative looks to a visitor: its words for their situation and language, prepared once for each."""

from collections.abc import Iterable

import msgspec

from adserver.domain.campaign import Copy, Creative
from adserver.domain.situation import Situation
from creatives.card import Look, Message

MOST_LOOKS = 20_000

_Kind = tuple[Situation | None, str]


def look_of(creative: Creative, situation: Situation | None, language: str) -> Look:
    """A message speaks the copy's words in place of its own; cards have them above and on their buttons."""
    fitting = list(_fitting(creative.copies, situation, language))
    headline = next((copy.headline for copy in fitting if copy.headline), None)
    button = next((copy.button for copy in fitting if copy.button), None)
    message = creative.message
    if message is not None:
        message = _spoken(message, headline, button)
        headline = button = None
    return Look(
        template=creative.template,
        brand=creative.brand,
        offer=creative.offer,
        message=message,
        headline=headline,
        button=button,
        language=language,
    )


def _spoken(message: Message, headline: str | None, button: str | None) -> Message:
    return msgspec.structs.replace(
        message, headline=headline or message.headline, button=button or message.button
    )


def _fitting(copies: Iterable[Copy], situation: Situation | None, language: str) -> Iterable[Copy]:
    """Those for the situation before those for any; of each, those of the language first."""
    primary = language.replace("_", "-").split("-")[0].lower()
    by_kind = {(copy.situation, copy.language): copy for copy in copies}
    for of in dict.fromkeys((situation, None)):
        for spoken in (primary, None):
            copy = by_kind.get((of, spoken))
            if copy is not None:
                yield copy


class Looks:
    """A worker's looks, each made when first asked for; those of a creative leave when it has changed."""

    def __init__(self, most: int = MOST_LOOKS) -> None:
        self._most = most
        self._looks: dict[int, tuple[Creative, dict[_Kind, Look]]] = {}
        self.count = 0

    def look(self, creative: Creative, situation: Situation | None, language: str) -> Look:
        kept = self._looks.get(creative.key)
        if kept is None or kept[0] is not creative:
            self.count -= len(kept[1]) if kept else 0
            kept = self._looks[creative.key] = (creative, {})
        kind = (situation, language)
        look = kept[1].get(kind)
        if look is None:
            if self.count >= self._most:  # languages come from feeds: anything may stand there
                self._looks = {creative.key: (creative, {})}
                self.count, kept = 0, self._looks[creative.key]
            look = kept[1][kind] = look_of(creative, situation, language)
            self.count += 1
        return look
