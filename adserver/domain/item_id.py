"""Ids that a merchant's pages name become those of the catalogue, by a rule that the advertiser sets."""

from enum import StrEnum

import msgspec

MOST_CHARACTERS = 100  # of an id, from pages and in feeds alike


class LetterCase(StrEnum):
    KEPT = "kept"
    LOWER = "lower"
    UPPER = "upper"


class ItemIdRule(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in this order; an empty one does nothing, and an id of which nothing would be left stays."""

    keep_after_last: str = ""  # of `shopify_US_12_34`, what comes after the last `_`
    strip_prefix: str = ""
    letter_case: LetterCase = LetterCase.KEPT
    add_prefix: str = ""  # unless it is there already

    def apply(self, item_id: str) -> str:
        """The catalogue's id for one that a page has named."""
        text = item_id.rpartition(self.keep_after_last)[2] if self.keep_after_last else item_id
        text = text.removeprefix(self.strip_prefix)
        if self.letter_case is not LetterCase.KEPT:
            text = text.lower() if self.letter_case is LetterCase.LOWER else text.upper()
        if text and not text.startswith(self.add_prefix):
            text = self.add_prefix + text
        return text if 0 < len(text) <= MOST_CHARACTERS else item_id
