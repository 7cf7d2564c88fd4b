"""What a slot was answered, and how the page's sheet keeps it for the document that shows it."""

import msgspec

from adserver.domain.decision import Decision, NoAd
from adserver.domain.page_sheet import Promised
from adserver.domain.slot import Slot
from adserver.domain.token import AdToken
from adserver.flows.serve.judge import Viewer


class Given(msgspec.Struct, frozen=True):
    """An answer with its token, counted and noted, and for whom it was made; without a token, no ad."""

    answer: Decision | NoAd
    viewer: Viewer
    token: AdToken | None = None


def promise_of(given: Given, slot: Slot, now_ms: int) -> Promised:
    """All that its document needs, should it be asked for."""
    answer, token = given.answer, given.token
    if isinstance(answer, NoAd) or token is None:
        return Promised(slot.key, now_ms)
    return Promised(
        slot.key,
        token.decided_at_ms,
        token.visitor_key,
        token.impression_id,
        token.campaign_key,
        token.campaign_version,
        answer.campaign.advertiser_key,
        token.creative_key,
        tuple(product.key for product in answer.products),
        token.audience_key,
        answer.situation,
        token.test,
        tuple(map(answer.because_of, answer.products)) if answer.because else (),
    )


def token_of_promise(promised: Promised) -> AdToken:
    """The same token again: whoever shows the document twice has shown one ad."""
    return AdToken(
        impression_id=promised.impression_id,
        campaign_key=promised.campaign_key,
        campaign_version=promised.campaign_version,
        slot_key=promised.slot_key,
        creative_key=promised.creative_key,
        product_key=0,
        visitor_key=promised.visitor_key,
        decided_at_ms=promised.at_ms,
        audience_key=promised.audience_key,
        test=promised.test,
    )
