"""How a campaign stands, what it pays for and why it was refused, in the words of the page's language."""

from babel.dates import get_timezone_location
from markupsafe import Markup

from adserver.domain.audience_presets import Preset
from adserver.domain.audience_reach import GroupSize
from adserver.domain.delivery import Delivery
from adserver.domain.pricing import PricingModel
from adserver.web.console.page import translations
from adserver.web.console.says import said as said_of
from creatives.price import locale_for

ENDED = (Delivery.ENDED, Delivery.OVER)
ASKS = (  # for something from its advertiser
    Delivery.DRAFT, Delivery.NO_CREATIVE, Delivery.CREATIVE_REJECTED, Delivery.EXHAUSTED,
    Delivery.NO_DEPOSIT,
)  # fmt: skip


def city_of(timezone: str, language: str) -> str:
    """By which people know a time zone."""
    return str(get_timezone_location(timezone, locale=locale_for(language), return_city=True))


def state_in_words(delivery: Delivery, language: str, timezone: str = "UTC") -> str:
    """What becomes of a campaign now, and why not."""
    words = translations(language).gettext
    return {
        Delivery.SERVING: words("Serving"),
        Delivery.DRAFT: words("Draft: not started yet"),
        Delivery.PAUSED: words("Paused by you"),
        Delivery.ENDED: words("Ended"),
        Delivery.OVER: words("Over: its last day has passed"),
        Delivery.SCHEDULED: words("Waiting for its first day"),
        Delivery.NO_CREATIVE: words("Not shown: it has no ad yet"),
        Delivery.CREATIVE_PENDING: words("Waiting for approval"),
        Delivery.CREATIVE_REJECTED: words("Not shown: its ad was refused"),
        Delivery.EXHAUSTED: words("Out of budget: raise it to go on"),
        Delivery.NO_DEPOSIT: words("Out of deposit: pay in to go on"),
        Delivery.EXHAUSTED_TODAY: words("Out of budget until midnight %(city)s time")
        % {"city": city_of(timezone, language)},
    }[delivery]


def is_empty(size: GroupSize | None) -> bool:
    """Whether it was counted, and holds nobody."""
    return size is not None and not size.members.best


def model_in_words(model: PricingModel, language: str) -> str:
    words = translations(language).gettext
    return {
        PricingModel.CPM: words("per thousand ads shown"),
        PricingModel.VCPM: words("per thousand ads that were really seen"),
        PricingModel.CPC: words("per click"),
        PricingModel.CPA: words("per order or lead"),
    }[model]


def preset_in_words(preset: Preset, language: str) -> tuple[str, str]:
    """A ready-made audience's name, and who they are."""
    words = translations(language).gettext
    return {
        Preset.PRODUCT_VIEWERS: (words("Product viewers"), words("looked at a product, bought nothing")),
        Preset.CART_ABANDONERS: (words("Cart abandoners"), words("filled a cart, bought nothing")),
        Preset.FORM_ABANDONERS: (words("Form abandoners"), words("began a form, did not send it")),
        Preset.WISHLIST: (words("Wish lists"), words("put something on a wish list, bought nothing")),
        Preset.FIRST_BUYERS: (words("First-time buyers"), words("have bought once")),
        Preset.FREQUENT_BUYERS: (words("Frequent buyers"), words("have bought three times or more")),
        Preset.LAPSED_BUYERS: (words("Lapsed buyers"), words("have bought, but not in the last 30 days")),
        Preset.HIGH_CART_VALUE: (words("Full carts"), words("have a cart worth at least an amount")),
        Preset.VISITORS: (words("Just visitors"), words("came, and looked at no product")),
        Preset.VIEWERS: (words("Only viewers"), words("looked at products, filled no cart")),
        Preset.CARTERS: (words("Nearly buyers"), words("began to buy, did not finish")),
        Preset.BUYERS: (words("Buyers"), words("bought lately")),
    }[preset]


def problem_in_words(code: str, language: str) -> str:
    """Why a change was refused, and what to do next."""
    words = translations(language).gettext
    said = {
        "campaign_ended": words("The campaign has ended. Make another like it."),
        "changed_meanwhile": words("Somebody has changed it meanwhile. Look at it again, then repeat."),
        "conflict": words("Somebody has changed it meanwhile. Look at it again, then repeat."),
        "unrecorded": words("Nothing can be saved at this moment. Try again in a few seconds."),
        "cpm_not_exact": words("Round the price per thousand to three decimals."),
        "rate_missing": words("Say what you pay: a price above zero."),
        "ends_before_start": words("The last day is before the first. Move one of them."),
        "not_back_to_draft": words("It was started already. Pause it instead."),
        "unknown_audience": words("One of the audiences is not there any more. Choose again."),
        "unknown_product_set": words("That product set is not there any more. Choose again."),
        "unknown_pool": words("That pool of codes is not there any more. Choose again."),
        "wrong_domain": words("The link leads to another site. Link to your own pages."),
        "bad_link": words("That is no link. Write it like https://shop.example/summer."),
        "message_incomplete": words("A message needs a headline, a text, a button and a link."),
        "offer_unused": words("A message shows no discount. Take it out, or show products."),
        "nothing_to_show": words("There is no product to show yet. Import a feed first."),
        "tier_is_operators": words("Only the operator decides who goes first."),
        "house_is_free": words("A house campaign costs nothing and has no budgets."),
        "longer_than_kept": words("So many days are not kept. Take a shorter time."),
        "audience_never_served": words("Its ads would stop before they begin. Give it more days."),
        "filter_says_nothing": words("Name items, categories or brands, or leave the filter empty."),
        "items_not_kept": words("Of what these people do no products are kept. Leave the filter empty."),
    }
    if code in said:
        return said[code]
    told = said_of(words, code)
    return Markup("{}. {}").format(told.title, told.detail)
