"""What a shop's events are called, what was allowed, and why one was not kept: in words, with what to do."""

from adserver.web.console.page import translations
from pixel.consent import Basis
from pixel.events import EventName, Rejection

_PROVEN = (Basis.TCF, Basis.ASSERTED, Basis.OPEN_REGION)


def event_in_words(name: str | None, language: str) -> str:
    words = translations(language).gettext
    called = {
        EventName.PAGE_VIEW: words("Page viewed"),
        EventName.VIEW_ITEM_LIST: words("List of products viewed"),
        EventName.SELECT_ITEM: words("Product chosen from a list"),
        EventName.VIEW_ITEM: words("Product viewed"),
        EventName.ADD_TO_WISHLIST: words("Put on the wish list"),
        EventName.ADD_TO_CART: words("Put in the cart"),
        EventName.REMOVE_FROM_CART: words("Taken out of the cart"),
        EventName.VIEW_CART: words("Cart viewed"),
        EventName.BEGIN_CHECKOUT: words("Checkout begun"),
        EventName.ADD_SHIPPING_INFO: words("Delivery chosen"),
        EventName.ADD_PAYMENT_INFO: words("Payment chosen"),
        EventName.PURCHASE: words("Order"),
        EventName.REFUND: words("Order given back"),
        EventName.SEARCH: words("A search"),
        EventName.SIGN_UP: words("Account opened"),
        EventName.LOGIN: words("Logged in"),
        EventName.GENERATE_LEAD: words("Enquiry"),
        EventName.VIEW_PROMOTION: words("Promotion viewed"),
        EventName.SELECT_PROMOTION: words("Promotion clicked"),
        EventName.FORM_START: words("Form begun"),
        EventName.FORM_SUBMIT: words("Form sent"),
        EventName.FORM_ABANDON: words("Form left unfinished"),
        EventName.LANDED: words("Arrived from an ad"),
        EventName.ENGAGED: words("Stayed after an ad"),
    }
    return words("Something that names no event") if name is None else called[EventName(name)]


def basis_in_words(basis: str | None, language: str) -> str:
    """What a yes stands on, or who said no; "" where it was not asked."""
    words = translations(language).gettext
    if basis is None:
        return ""
    return {
        Basis.OPEN_REGION: words("Allowed where the visitor is"),
        Basis.ASSERTED: words("Your banner says yes"),
        Basis.TCF: words("Yes, by the consent tool (TCF)"),
        Basis.OPTED_OUT: words("The visitor has opted out here"),
        Basis.CHILD: words("A child"),
        Basis.PRIVACY_CONTROL: words("The browser asks not to be tracked (GPC)"),
        Basis.SALE_OPT_OUT: words("The visitor has opted out of ads (US)"),
        Basis.REFUSED: words("The visitor said no"),
        Basis.UNHEARD: words("The visitor has not answered yet"),
        Basis.AD_STORAGE_DENIED: words("No, by Consent Mode"),
        Basis.AD_USER_DATA_DENIED: words("No, by Consent Mode"),
        Basis.AD_PERSONALIZATION_DENIED: words("No ads by interest, by Consent Mode"),
        Basis.PURPOSE_REFUSED: words("No, by the consent tool (TCF)"),
        Basis.RESTRICTED: words("No, by the consent tool (TCF)"),
        Basis.VENDOR_REFUSED: words("No, by the consent tool (TCF)"),
        Basis.VENDOR_NOT_DISCLOSED: words("The consent tool does not list this ad server"),
        Basis.NO_VENDOR_ID: words("This ad server has no TCF number"),
        Basis.UNPROVEN_ASSERTION: words("A yes without a consent tool's name and time"),
        Basis.ASSERTION_HELD: words("Your pages' yes is not believed for now"),
        Basis.NO_USABLE_STRING: words("No consent was told"),
    }.get(Basis(basis), words("A consent signal that cannot be read"))


def refusal_in_words(reason: str, basis: str | None, site: str | None, language: str) -> str:
    """Why an event was not kept, and what to do about it."""
    words = translations(language).gettext
    if reason == Rejection.NO_CONSENT:
        return _no_consent(basis, language)
    if reason == Rejection.FOREIGN_ORIGIN and site is not None:
        return words("%(site)s is not one of your domains. If it is yours, ask for it to be added.") % {
            "site": site
        }
    return {
        Rejection.MALFORMED: words("It could not be read. Paste the snippet again, without changes."),
        Rejection.UNKNOWN_EVENT: words("There is no event of this name. Use the names in the examples."),
        Rejection.TOO_MANY_ITEMS: words("It names more than 200 products."),
        Rejection.TOO_MANY_EVENTS: words("More than 20 events came at once."),
        Rejection.BAD_ITEM_ID: words("A product's id is empty, too long or has odd letters."),
        Rejection.PERSONAL_DATA: words("It holds an e-mail address, which is kept nowhere. Leave it out."),
        Rejection.ROBOT: words("A robot. Nothing to do."),
        Rejection.PREFETCH: words("The page was loaded in advance and not looked at. Nothing to do."),
        Rejection.TOO_MANY: words(
            "Too many at once from one browser. Look for a script that repeats itself."
        ),
        Rejection.OPTED_OUT: words("Nothing to do: this visitor has opted out."),
        Rejection.PRIVACY_SIGNAL: words("Nothing to do: the browser or the visitor asks for it."),
        Rejection.KNOWN_CHILD: words("Nothing to do: nothing is kept of children."),
        Rejection.UNKNOWN_VISITOR: words("Your server names nobody we know. Stop sending this id."),
        Rejection.OCCURRED_AT_OUT_OF_RANGE: words("It happened more than seven days ago, or lies ahead."),
        Rejection.UNRECORDED: words("It could not be stored. It is sent again by itself."),
    }.get(Rejection(reason), words("It was refused."))


def _no_consent(basis: str | None, language: str) -> str:
    words = translations(language).gettext
    if basis in (Basis.REFUSED, Basis.UNHEARD, Basis.PURPOSE_REFUSED, Basis.AD_STORAGE_DENIED):
        return words("Nothing to do: without a yes nothing is kept.")
    if basis == Basis.NO_USABLE_STRING:
        return words("Tell the tag what your consent banner heard, or let the tag wait for it.")
    if basis == Basis.UNPROVEN_ASSERTION:
        return words("Send cmp and time with the yes, from a page of yours.")
    if basis == Basis.NO_VENDOR_ID:
        return words("Ask whoever runs this server to set its TCF number.")
    if basis in _PROVEN:
        return words("The visitor allows no memory of what they look at.")
    return words("Nothing to do, unless all of them are refused: then look at your consent tool.")
