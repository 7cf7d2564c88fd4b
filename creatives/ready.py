"""Documents and cards that are drawn once and kept ready, by what they look like."""

from collections import OrderedDict
from typing import TypeVar

from creatives.card import Card, Look
from creatives.formats import Format
from creatives.html import Document, Fragment, card_fragment, compile_document, message_fragment

MOST_FRAGMENTS = 20_000
MOST_DOCUMENTS = 2_000

_Drawn = TypeVar("_Drawn", Document, Fragment)


class Ready:
    """A worker's drawings. However many campaigns and creatives look the same, they share one."""

    def __init__(self) -> None:
        self._documents: OrderedDict[tuple[object, ...], Document] = OrderedDict()
        self._fragments: OrderedDict[tuple[object, ...], Fragment] = OrderedDict()

    def document(self, look: Look, format_: Format) -> Document:
        key = (look, format_.name)
        document = self._documents.get(key)
        if document is None:
            document = compile_document(look, format_)
            _keep(self._documents, key, document, MOST_DOCUMENTS)
        return document

    def card(self, card: Card, look: Look, *, lazy: bool = False) -> Fragment:
        """A card shows its look's offer, button and language; the rest of the look is the document's."""
        key = (card, look.offer, look.button, look.language, lazy)
        fragment = self._fragments.get(key)
        if fragment is None:
            fragment = card_fragment(card, look, lazy=lazy)
            _keep(self._fragments, key, fragment, MOST_FRAGMENTS)
        return fragment

    def message(self, look: Look, format_: Format) -> Fragment:
        key = (look.message, look.language, format_.name)
        fragment = self._fragments.get(key)
        if fragment is None:
            fragment = message_fragment(look, format_)
            _keep(self._fragments, key, fragment, MOST_FRAGMENTS)
        return fragment


def _keep(
    kept: OrderedDict[tuple[object, ...], _Drawn], key: tuple[object, ...], drawn: _Drawn, most: int
) -> None:
    """The oldest leaves where there are too many."""
    kept[key] = drawn
    if len(kept) > most:
        kept.popitem(last=False)
