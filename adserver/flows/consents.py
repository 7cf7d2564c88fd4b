"""What a visitor agreed to in a shop, proven to the merchant and the operator, after an erasure too."""

from adserver.domain.consent_record import ConsentRecord
from adserver.ports import Consents
from pixel.cookie import visitor_behind


class ProveConsent:
    """Finds consents by the id that one advertiser knows a visitor by; nobody else's id finds anything."""

    def __init__(self, consents: Consents, parties: bytes) -> None:
        self._consents = consents
        self._parties = parties

    def given(self, advertiser_key: int, visitor: str) -> list[ConsentRecord] | None:
        """Those to this advertiser, the oldest first; None where the id is none of this advertiser's."""
        visitor_key = visitor_behind(visitor, advertiser_key, self._parties)
        if visitor_key is None:
            return None
        return self._consents.given(visitor_key, advertiser_key)
