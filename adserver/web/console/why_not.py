""" "Why is my ad not showing": each refusal in plain words, what to do, and the likeliest first."""

from collections.abc import Mapping

import msgspec

from adserver.domain.audience_reach import GroupSize
from adserver.domain.delivery import Delivery
from adserver.domain.eligibility import Refusal
from adserver.domain.refused import Refused
from adserver.web.console.campaign_words import is_empty
from adserver.web.console.page import translations


class Reason(msgspec.Struct, frozen=True):
    """One of the counted refusals, in words."""

    refusal: Refusal
    says: str
    advice: str
    requests: int
    share: float
    place: int  # in the API's answer


def words(text: str) -> str:
    """Marks what the catalogues translate."""
    return text


_NOTHING = words("Nothing to do.")
_WISH = words("Nothing to do: it is the visitor's wish.")
_TARGETING = words("Change where it is shown, if these should see it too.")
_KNOWN: Mapping[Refusal, tuple[str, str]] = {
    Refusal.NOT_ACTIVE: (words("It was a draft, or had ended."), words("Start it.")),
    Refusal.PAUSED: (words("It was paused."), words("Resume it.")),
    Refusal.NOT_STARTED: (
        words("Its first day had not come."),
        words("Wait, or choose an earlier first day."),
    ),
    Refusal.OVER: (words("Its last day was over."), words("Choose a later last day.")),
    Refusal.NO_CREATIVE: (words("It had no ad for this visitor."), words("Add an ad.")),
    Refusal.CREATIVE_PENDING: (
        words("Its ads waited for approval."),
        words("Ask whoever runs the network to look at them."),
    ),
    Refusal.CREATIVE_REJECTED: (
        words("Its ads were refused."),
        words("Read why beside the ad, and change it."),
    ),
    Refusal.ADVERTISER_BLOCKED: (
        words("The publisher wants none of your ads there."),
        words("Ask the publisher, or leave it at other pages."),
    ),
    Refusal.ADVERTISER_NOT_APPROVED: (
        words("The publisher shows only shops that it has approved."),
        words("Ask the publisher to approve you."),
    ),
    Refusal.CATEGORY_BLOCKED: (
        words("The publisher wants no ads for what you sell."),
        words("Nothing to do there: other pages show you."),
    ),
    Refusal.SHOP_UNWANTED: (words("The visitor wants no more ads of your shop."), _WISH),
    Refusal.PRODUCT_UNWANTED: (words("The visitor wants to see none of these products."), _WISH),
    Refusal.SUPPRESSED: (
        words("The visitor is on one of your suppression lists."),
        words("Nothing to do: that is what the list is for."),
    ),
    Refusal.FREQUENCY_CAP: (
        words("The visitor had seen it as often as you allow."),
        words("Raise how often one person may see it."),
    ),
    Refusal.CREATIVE_CAP: (
        words("The visitor had seen each of its ads as often as you allow."),
        words("Add another ad, or raise the cap of one."),
    ),
    Refusal.ADVERTISER_CAP: (
        words("The visitor had seen enough of all your campaigns together."),
        words("Raise the account's cap, if you find it too low."),
    ),
    Refusal.FREQUENCY_UNKNOWN: (
        words("It has a cap, and of this visitor nothing may be kept to count by."),
        words("Lift the cap, or leave these visitors out."),
    ),
    Refusal.ANNOYANCE_BUDGET: (
        words("The visitor had seen enough ads that day, of anybody's."),
        words("Nothing to do: visitors are left in peace."),
    ),
    Refusal.FATIGUED: (
        words("The visitor had seen it too often without a click."),
        words("A new campaign may interest them again."),
    ),
    Refusal.NOT_IN_AUDIENCE: (
        words("The visitor was in none of its audiences."),
        words("Add an audience, or choose a wider one."),
    ),
    Refusal.AUDIENCE_WAITS: (
        words("The visitor was in the audience, and its waiting time was not over."),
        words("Wait, or shorten the audience's waiting time."),
    ),
    Refusal.AUDIENCE_STOPPED: (
        words("The visitor had not been at your shop for too many days."),
        words("Let the audience be addressed for longer."),
    ),
    Refusal.AUDIENCE_TOO_SMALL: (
        words("The audience is narrowed to fewer than 50 people."),
        words("Widen it: ads for so few could be meant for one person."),
    ),
    Refusal.NO_MESSAGE: (
        words("It was asked for by a page alone, and shows products only."),
        words("Add a message, which needs no visitor's past."),
    ),
    Refusal.NO_PRODUCT: (
        words("There was no product to show: none viewed, or all bought or sold out."),
        words("Look at your feed's last import, and whether your pages name the catalogue's ids."),
    ),
    Refusal.SENSITIVE_PRODUCT: (
        words("What was left to show is of a sensitive kind, of which nobody is reminded."),
        words("Advertise other products."),
    ),
    Refusal.NOT_IN_PRODUCT_SET: (
        words("The visitor looked at nothing of its product set."),
        words("Choose a wider set, or all products."),
    ),
    Refusal.NO_OPEN_FORM: (
        words("The visitor had no half-filled form."),
        words("Let the message address other visitors too."),
    ),
    Refusal.NOT_IN_SITUATION: (
        words("Its messages are for visitors in another situation."),
        words("Let the message address other visitors too."),
    ),
    Refusal.NO_PICTURE_MEASURE: (
        words("You pay for ads that are really seen, and of a picture nobody can tell."),
        words("Pay per click or per thousand shown for such places."),
    ),
    Refusal.BELOW_FLOOR: (
        words("It was expected to pay less than the place's lowest price."),
        words("Raise the price, or have ads that are clicked more often."),
    ),
    Refusal.NO_EXCHANGE_RATE: (
        words("Whoever runs the network has set no exchange rate for your currency."),
        words("Ask them to set one."),
    ),
    Refusal.BUDGET_EXHAUSTED: (words("A budget was used up."), words("Raise the budget, or wait.")),
    Refusal.PACED: (
        words("It had spent its share of the day, and kept the rest for later."),
        words("Nothing to do; or raise the daily budget, or let it spend as fast as it can."),
    ),
    Refusal.BOUGHT_ALREADY: (
        words("The visitor had just bought, and looked at nothing since."),
        words("Nothing to do: buyers are left alone for a while."),
    ),
    Refusal.BURNED: (
        words("All that could be shown is too like what the visitor bought."),
        words("Nothing to do, as your campaign wishes it."),
    ),
    Refusal.HOLDOUT: (
        words("The visitor is of those who see none of your ads, to tell what ads change."),
        words("Nothing to do: without them nobody could tell."),
    ),
    Refusal.COMPETITOR_ON_PAGE: (words("A competitor stood on the same page."), _NOTHING),
    Refusal.SHOWN_BESIDE: (words("It stood in another place of the same page."), _NOTHING),
    Refusal.SITE_NOT_TARGETED: (words("It is not for this site."), _TARGETING),
    Refusal.PUBLISHER_NOT_TARGETED: (words("It is not for this publisher."), _TARGETING),
    Refusal.HOUR_NOT_TARGETED: (words("It is not for this hour."), _TARGETING),
    Refusal.COUNTRY_NOT_TARGETED: (words("It is not for the visitor's country."), _TARGETING),
    Refusal.COUNTRY_UNKNOWN: (
        words("Nobody knows the visitor's country."),
        words("Address all countries; or ask whoever runs the network for a database of addresses."),
    ),
    Refusal.SUBDIVISION_NOT_TARGETED: (words("It is not for the visitor's region."), _TARGETING),
    Refusal.SUBDIVISION_UNKNOWN: (words("Nobody knows the visitor's region."), _TARGETING),
    Refusal.DEVICE_NOT_TARGETED: (words("It is not for this kind of device."), _TARGETING),
    Refusal.DEVICE_UNKNOWN: (words("The browser does not say which device it runs on."), _TARGETING),
    Refusal.LANGUAGE_NOT_TARGETED: (words("It is not for the reader's language."), _TARGETING),
    Refusal.LANGUAGE_UNKNOWN: (words("The browser does not say which language it prefers."), _TARGETING),
    Refusal.CATEGORY_NOT_TARGETED: (words("It is not for pages about this."), _TARGETING),
    Refusal.CATEGORY_UNKNOWN: (words("Nobody says what the page is about."), _TARGETING),
    Refusal.KEYWORD_NOT_TARGETED: (words("It is not for pages with these keywords."), _TARGETING),
    Refusal.KEYWORD_UNKNOWN: (words("The page states no keywords."), _TARGETING),
    Refusal.OUTRANKED: (
        words("Another campaign was expected to earn more."),
        words("Raise the price, or have ads that are clicked more often."),
    ),
    Refusal.LOWER_TIER: (
        words("A campaign that goes first at any price was shown."),
        words("Wait, or ask whoever runs the network."),
    ),
}
_ASIDE = (Refusal.NOT_IN_AUDIENCE,)  # said of most requests even of a campaign in the best of health


def reasons_of(refused: Refused, language: str) -> list[Reason]:
    """The most frequent first, as the API lists them."""
    told = translations(language).gettext
    return [
        Reason(refusal, told(_KNOWN[refusal][0]), told(_KNOWN[refusal][1]), n, refused.share(n), place)
        for place, (refusal, n) in enumerate(refused.reasons)
    ]


def likeliest(
    delivery: Delivery, size: GroupSize | None, refused: Refused, state: str, language: str
) -> tuple[str, str]:
    """One sentence that most probably explains it, and what to do."""
    told = translations(language).gettext
    if delivery is not Delivery.SERVING:
        return f"{state}.", told(_TO_DO[delivery])
    if is_empty(size):
        return told(words("Nobody is in its audience yet.")), told(
            words("Wait until visitors come, or choose a wider audience. See whether your tag reports them.")
        )
    if not refused.requests:
        return told(words("No visitor of your shop has been at an ad place in the last 24 hours.")), told(
            words("See whether your tag reports visitors, and whether publishers' pages are live.")
        )
    if refused.shown:
        return told(words("It is being shown.")), told(words("What kept it from being shown more is below."))
    first = next((one for one, _ in refused.reasons if one not in _ASIDE), refused.reasons[0][0])
    return told(_KNOWN[first][0]), told(_KNOWN[first][1])


_TO_DO: Mapping[Delivery, str] = {
    Delivery.DRAFT: words("Start it."),
    Delivery.PAUSED: words("Resume it."),
    Delivery.ENDED: words("Make another like it."),
    Delivery.OVER: words("Choose a later last day."),
    Delivery.SCHEDULED: words("Wait, or choose an earlier first day."),
    Delivery.NO_CREATIVE: words("Add an ad."),
    Delivery.CREATIVE_PENDING: words("Ask whoever runs the network to look at them."),
    Delivery.CREATIVE_REJECTED: words("Read why beside the ad, and change it."),
    Delivery.EXHAUSTED: words("Raise the budget in all, of the campaign or of the account."),
    Delivery.NO_DEPOSIT: words("Pay in, and it goes on by itself."),
    Delivery.EXHAUSTED_TODAY: words("Raise the daily budget, of the campaign or of the account; or wait."),
}
