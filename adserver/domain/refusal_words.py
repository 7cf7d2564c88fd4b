"""What each refusal says to whoever asks why an ad is not shown, and what to do about it."""

import msgspec

from adserver.domain.eligibility import Refusal


class Said(msgspec.Struct, frozen=True):
    """`says` goes on from "the campaign is not shown:", `counted` follows a number of requests."""

    says: str
    counted: str
    advice: str


def _said(says: str, counted: str, advice: str) -> Said:
    return Said(says, counted, advice)


WORDS = {
    Refusal.NOT_ACTIVE: _said(
        "it is a draft or has ended", "while it was a draft or had ended", "Set its status to active."
    ),
    Refusal.PAUSED: _said("it is paused", "while it was paused", "Set its status to active."),
    Refusal.NOT_STARTED: _said(
        "its first day has not come", "before its start", "Wait, or move `starts_at` to now."
    ),
    Refusal.OVER: _said("its end has passed", "after its end", "Move `ends_at`, or lift it."),
    Refusal.NO_CREATIVE: _said(
        "it has no creative for this visitor", "without a creative", "Make one, or name one for the audience."
    ),
    Refusal.CREATIVE_PENDING: _said(
        "nobody has approved its creatives yet",
        "while its creatives waited for approval",
        "Have the operator approve one.",
    ),
    Refusal.CREATIVE_REJECTED: _said(
        "its creatives were refused",
        "with creatives that were refused",
        "Read the `reason` of the creative, change it, and have it approved.",
    ),
    Refusal.ADVERTISER_BLOCKED: _said(
        "the publisher wants none of this advertiser's ads there",
        "on pages whose publisher blocks the advertiser",
        "Ask the publisher, or advertise elsewhere.",
    ),
    Refusal.ADVERTISER_NOT_APPROVED: _said(
        "the publisher shows only advertisers that it has approved",
        "on pages whose publisher has not approved the advertiser",
        "Ask the publisher to approve the advertiser.",
    ),
    Refusal.CATEGORY_BLOCKED: _said(
        "the publisher wants no ads for such things",
        "on pages that block its category",
        "Advertise other products there, or elsewhere.",
    ),
    Refusal.SHOP_UNWANTED: _said(
        "the visitor wants no more ads of this shop",
        "by visitors who want no more of the shop",
        "Nothing: it is the visitor's wish.",
    ),
    Refusal.FREQUENCY_CAP: _said(
        "the visitor has seen it as often as its frequency cap allows",
        "by visitors who had seen it often enough",
        "Raise `frequency_cap` if more should be shown to the same people.",
    ),
    Refusal.FREQUENCY_UNKNOWN: _said(
        "it has a frequency cap, and nothing may be kept of the visitor to count by",
        "by visitors of whom nothing may be kept to count by",
        "Lift `frequency_cap`, or leave those visitors to others.",
    ),
    Refusal.NOT_IN_AUDIENCE: _said(
        "the visitor was not at the shop, or is in none of its audiences",
        "not in the audience",
        "Name more audiences, or wider ones; or set `contextual` for a message.",
    ),
    Refusal.NO_MESSAGE: _said(
        "it is shown for the page alone, and has cards only, which need a visitor's doings",
        "for the page alone, without a message",
        "Add a creative of the template `message`, or set `contextual` to false.",
    ),
    Refusal.NO_PRODUCT: _said(
        "there is no product left to show: none was viewed, or all were bought or are sold out",
        "without a product to show",
        "Look at the feed's last import, and whether pages name the ids of the catalogue.",
    ),
    Refusal.PRODUCT_UNWANTED: _said(
        "the visitor wants to see none of the products that are left",
        "by visitors who do not want its products",
        "Nothing: it is the visitor's wish.",
    ),
    Refusal.NOT_IN_PRODUCT_SET: _said(
        "none of what the visitor looked at is in its product set",
        "with products outside of its set",
        "Widen the product set, or lift `product_set_id`.",
    ),
    Refusal.NO_OPEN_FORM: _said(
        "the visitor has no half-filled form",
        "by visitors without an open form",
        "Name other `situations` in the message, if it is for more people.",
    ),
    Refusal.NOT_IN_SITUATION: _said(
        "its messages are for visitors in another situation",
        "by visitors in other situations",
        "Name more `situations` in the message, or add cards.",
    ),
    Refusal.NO_PICTURE_MEASURE: _said(
        "it pays for viewable ads, and of a picture nobody can tell whether it was seen",
        "by image slots, where viewability cannot be measured",
        "Use `cpm` or `cpc` for image slots.",
    ),
    Refusal.BELOW_FLOOR: _said(
        "it offers less than the slot's floor",
        "below the slot's floor",
        "Raise `rate_micros`; a click's price is weighed with how often its ads are clicked.",
    ),
    Refusal.NO_EXCHANGE_RATE: _said(
        "the operator has given no exchange rate for its currency",
        "without an exchange rate",
        "Have the operator set one in ADSERVER_RANKING_RATES.",
    ),
    Refusal.BUDGET_EXHAUSTED: _said(
        "a budget does not hold one more ad", "with a budget used up", "Raise the budget, or wait."
    ),
    Refusal.PACED: _said(
        "it has spent its share of the day up to now, and spreads the rest over the hours to come",
        "held back to spread the day's budget",
        "Nothing; or set `pacing` to asap, or raise the daily budget.",
    ),
    Refusal.OUTRANKED: _said(
        "another campaign was expected to earn more",
        "won by campaigns expected to earn more",
        "Raise `rate_micros`, or have ads that are clicked more often.",
    ),
    Refusal.LOWER_TIER: _said(
        "a campaign of a higher tier could answer, and goes first at any price",
        "won by campaigns of a higher tier",
        "Ask the operator for another `tier`, or wait until those campaigns are over.",
    ),
}


def words_of(refusal: Refusal) -> Said:
    return WORDS[refusal]
