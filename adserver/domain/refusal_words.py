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


_WIDEN = "Widen `{}` in its `targeting` if it should be shown there."
_LIFT = "Lift `{}` in its `targeting` if it should be shown there too."
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
        "it, its advertiser or its creatives have a frequency cap, and nothing may be kept of the visitor to"
        " count by",
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
    Refusal.AUDIENCE_WAITS: _said(
        "the visitor is in its audience, whose `wait_minutes` are not over",
        "by members whose wait was not over",
        "Wait, or shorten the audience's `wait_minutes`.",
    ),
    Refusal.AUDIENCE_STOPPED: _said(
        "the visitor is in its audience, and did nothing for its `stop_days`",
        "by members who did nothing for too long",
        "Lengthen the audience's `stop_days`, or lift it, to go on for longer.",
    ),
    Refusal.AUDIENCE_TOO_SMALL: _said(
        "its audience is narrowed by place, list or value, and fewer than 50 belong to it, or nobody has"
        " counted them yet",
        "with a narrowed audience of fewer than 50",
        "Widen the audience: ads for so few could be meant for one person.",
    ),
    Refusal.SUPPRESSED: _said(
        "the visitor is on a suppression list of its advertiser",
        "by visitors on a suppression list",
        "Nothing: that is what the list is for.",
    ),
    Refusal.COMPETITOR_ON_PAGE: _said(
        "another slot of the page shows a competitor",
        "beside a competitor on the page",
        "Nothing: they are kept apart by the wish of one of you, or of the publisher.",
    ),
    Refusal.SHOWN_BESIDE: _said(
        "another slot of the page shows it, and something else could stand in this one",
        "on pages that showed it in another slot",
        "Nothing: the page's slots show different ads where they can.",
    ),
    Refusal.CREATIVE_CAP: _said(
        "the visitor has seen each of its creatives as often as that one's cap allows",
        "by visitors who had seen its creatives often enough",
        "Add a creative, or raise the `frequency_cap` of one.",
    ),
    Refusal.ADVERTISER_CAP: _said(
        "the visitor has seen its advertiser's campaigns as often as all of them together may be",
        "by visitors who had seen the advertiser often enough",
        "Raise `frequency_cap` of the advertiser; where it has none, the operator's default of a day holds.",
    ),
    Refusal.ANNOYANCE_BUDGET: _said(
        "the visitor has seen enough ads within a day, whosever they were",
        "by visitors who had seen enough ads of anybody's",
        "Nothing: the visitor is left in peace. The operator sets ADSERVER_ANNOYANCE_BUDGET.",
    ),
    Refusal.FATIGUED: _said(
        "the visitor has seen it too often in 30 days without a click",
        "by visitors who had tired of it",
        "Nothing: new creatives do not begin it anew for this visitor, another campaign does.",
    ),
    Refusal.BOUGHT_ALREADY: _said(
        "the visitor has ordered at the shop, and has looked at nothing else there since",
        "by visitors who had ordered",
        "Set `addresses_buyers` if it is for them; else change `rest_after_purchase_days` of the advertiser.",
    ),
    Refusal.BURNED: _said(
        "all that could be shown is too like what the visitor has bought, as its `burn` says",
        "by visitors who had bought the like",
        "Narrow the scope of `burn`, or its days, if more should be shown to buyers.",
    ),
    Refusal.HOLDOUT: _said(
        "its advertiser holds this visitor out, to tell what its ads change",
        "by visitors whom the holdout keeps apart",
        "Nothing: without them nobody could tell what the ads change. `holdout_bps` of 0 ends it.",
    ),
    Refusal.SENSITIVE_PRODUCT: _said(
        "what is left to show is of a sensitive category, of which nobody is reminded",
        "with products of sensitive categories only",
        "Advertise other products; the operator's list is ADSERVER_SENSITIVE_CATEGORIES.",
    ),
    Refusal.SITE_NOT_TARGETED: _said(
        "its targeting leaves this site out", "on sites that it does not address", _WIDEN.format("sites")
    ),
    Refusal.PUBLISHER_NOT_TARGETED: _said(
        "its targeting leaves this publisher out",
        "of publishers that it does not address",
        _WIDEN.format("publishers"),
    ),
    Refusal.HOUR_NOT_TARGETED: _said(
        "its targeting leaves this hour out",
        "at hours that it does not address",
        "Wait, or widen `hours` in its `targeting`; they are in the advertiser's time zone.",
    ),
    Refusal.COUNTRY_NOT_TARGETED: _said(
        "its targeting leaves the visitor's country out",
        "from countries that it does not address",
        _WIDEN.format("countries"),
    ),
    Refusal.COUNTRY_UNKNOWN: _said(
        "it asks for some countries, and nobody knows which this visitor is in",
        "from a country that nobody knows",
        "Have the operator give a database of addresses, ADSERVER_GEOIP_PATH, or lift `countries`.",
    ),
    Refusal.SUBDIVISION_NOT_TARGETED: _said(
        "its targeting leaves the visitor's region out",
        "from regions that it does not address",
        _WIDEN.format("subdivisions"),
    ),
    Refusal.SUBDIVISION_UNKNOWN: _said(
        "it asks for some regions, and nobody knows which this visitor is in",
        "from a region that nobody knows",
        "Have the operator give a database that knows cities, ADSERVER_GEOIP_PATH, or lift `subdivisions`.",
    ),
    Refusal.DEVICE_NOT_TARGETED: _said(
        "its targeting leaves such devices out",
        "on devices that it does not address",
        _WIDEN.format("devices"),
    ),
    Refusal.DEVICE_UNKNOWN: _said(
        "it asks for some devices, and the browser does not say what it runs on",
        "on a device that nobody knows",
        _LIFT.format("devices"),
    ),
    Refusal.LANGUAGE_NOT_TARGETED: _said(
        "its targeting leaves the reader's language out",
        "in languages that it does not address",
        _WIDEN.format("languages"),
    ),
    Refusal.LANGUAGE_UNKNOWN: _said(
        "it asks for some languages, and the browser does not say which it prefers",
        "in a language that nobody knows",
        _LIFT.format("languages"),
    ),
    Refusal.CATEGORY_NOT_TARGETED: _said(
        "its targeting leaves pages of such a category out",
        "on pages of categories that it does not address",
        _WIDEN.format("categories"),
    ),
    Refusal.CATEGORY_UNKNOWN: _said(
        "it asks for pages of some categories, and nobody says what this one is about",
        "on pages of no category",
        "Have the publisher give its site `categories`, or lift `categories` in the `targeting`.",
    ),
    Refusal.KEYWORD_NOT_TARGETED: _said(
        "its targeting leaves pages with such keywords out",
        "on pages with keywords that it does not address",
        _WIDEN.format("keywords"),
    ),
    Refusal.KEYWORD_UNKNOWN: _said(
        "it asks for pages with some keywords, and this one states none",
        "on pages without keywords",
        "Have the publisher state `data-keywords`, or lift `keywords` in the `targeting`.",
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
