"""What a feed's import is at, and what is wrong with its rows and pictures, in words and with what to do."""

from adserver.domain.feed import Note, Rejection
from adserver.domain.feed_file import FeedRefusal
from adserver.domain.imports import ImportState
from adserver.web.console.page import translations


def state_in_words(state: ImportState, language: str) -> str:
    words = translations(language).gettext
    return {
        ImportState.QUEUED: words("Waiting for its turn"),
        ImportState.FETCHING: words("Being fetched"),
        ImportState.READING: words("Being read"),
        ImportState.PUBLISHING: words("Products go live"),
        ImportState.WAITING_FOR_A_YES: words("Waiting for your yes"),
        ImportState.DONE: words("Done"),
        ImportState.UNCHANGED: words("Unchanged since the last time"),
        ImportState.FAILED: words("Failed: nothing was changed"),
        ImportState.INTERRUPTED: words("Interrupted: the server was restarted"),
        ImportState.REJECTED: words("Declined: nothing was changed"),
        ImportState.SUPERSEDED: words("A newer one took its place"),
        ImportState.EXPIRED: words("Nobody said yes in time: nothing was changed"),
    }[state]


Words = dict[str, tuple[str, str]]


def row_in_words(reason: str, language: str) -> tuple[str, str]:
    """What is wrong with a row that was left out, and what to do."""
    told = _of_products(language) | _of_prices(language) | _of_whole_rows(language)
    return told.get(reason, (reason, ""))


def _of_products(language: str) -> Words:
    words = translations(language).gettext
    return {
        Rejection.MISSING_ID: (
            words("No id"),
            words("Give the product an id, the one that your pages send."),
        ),
        Rejection.BAD_ID: (words("An unusable id"), words("Use at most 100 letters that can be seen.")),
        Rejection.DUPLICATE_ID: (
            words("The same id twice"),
            words("The first row was taken. Give each product and variant its own id."),
        ),
        Rejection.MISSING_TITLE: (words("No title"), words("Give the product a title.")),
        Rejection.MISSING_LINK: (
            words("No link"),
            words("Give the address of its page, or the feed a pattern."),
        ),
        Rejection.BAD_LINK: (words("An unusable link"), words("Write the whole address, from https:// on.")),
        Rejection.FOREIGN_LINK: (
            words("A link to another domain"),
            words("Link to your own shop, or ask for the domain to be added."),
        ),
    }


def _of_prices(language: str) -> Words:
    words = translations(language).gettext
    return {
        Rejection.MISSING_PRICE: (words("No price"), words("Give the product its price, such as 15.00 EUR.")),
        Rejection.BAD_PRICE: (
            words("An unusable price"),
            words("Write one price above zero, such as 15.00 EUR."),
        ),
        Rejection.MISSING_CURRENCY: (
            words("No currency"),
            words("Write it with the price, or set the feed's currency below."),
        ),
        Rejection.WRONG_CURRENCY: (
            words("Another currency"),
            words("Send prices in your account's currency."),
        ),
        Rejection.PRICE_WITHOUT_TAX: (
            words("A price without tax"),
            words("Send the price that shoppers pay."),
        ),
    }


def _of_whole_rows(language: str) -> Words:
    words = translations(language).gettext
    return {
        Rejection.FIELD_TOO_LONG: (
            words("A field that is too long"),
            words("Something has probably run into it."),
        ),
        Rejection.COLUMNS_SHIFTED: (
            words("Shifted columns"),
            words("Put texts that hold the separator between double quotes."),
        ),
        Rejection.NOT_JSON: (words("An unreadable line"), words("Write the line as one JSON object.")),
        Rejection.NOT_PUBLISHED: (
            words("Not published"),
            words("The shop itself does not show it. Publish it there if it is to be advertised."),
        ),
        Rejection.VARIABLE_PRODUCT: (
            words("A product with variations"),
            words("It is sold as its variations. See that the export has them."),
        ),
        Rejection.GROUPED_PRODUCT: (
            words("A collection"),
            words("It has no price of its own. Its products are advertised. Nothing to do."),
        ),
    }


def note_in_words(name: str, language: str) -> tuple[str, str]:
    """What was left out of a product that was taken, and what to do."""
    words = translations(language).gettext
    told: Words = {
        Note.TITLE_CUT: (words("Long titles were cut"), words("A card shows about 60 letters.")),
        Note.BAD_SALE_PRICE: (
            words("A sale price was left out"),
            words("It must be below the price, in the same currency."),
        ),
        Note.BAD_SALE_DATES: (words("A sale was left out"), words("Write dates like 2026-01-01/2026-01-31.")),
        Note.BAD_IMAGE_LINK: (
            words("A picture was left out"),
            words("Write the whole address, from https:// on."),
        ),
        Note.UNKNOWN_AVAILABILITY: (
            words("An unknown availability"),
            words("It counts as out of stock. Write in_stock, preorder or backorder."),
        ),
        Note.BAD_GTIN: (words("A barcode was left out"), words("It has 8, 12, 13 or 14 digits.")),
        Note.ID_IS_GROUP_ID: (
            words("A variant named like its group"),
            words("Give each variant an id of its own."),
        ),
        Note.ID_FROM_HANDLE: (words("Variants without a SKU"), words("Give each a SKU: your pages send it.")),
        Note.TAX_ADDED: (words("Tax was added"), words("Better send the price that shoppers pay.")),
        Note.IMAGE_NOT_IN_FILE: (
            words("Pictures are not in the file"),
            words("Export all content, not products alone."),
        ),
    }
    return told.get(name, (name, ""))


def fatal_in_words(fatal: str, language: str) -> str:
    """Why nothing was imported, and what to do; `fatal` begins with the refusal's name."""
    words = translations(language).gettext
    name = fatal.partition(":")[0].partition(" ")[0]
    told: dict[str, str] = {
        FeedRefusal.NOT_WELL_FORMED: words("The file is broken. Have your shop's software write it again."),
        FeedRefusal.DTD_FORBIDDEN: words("Take the <!DOCTYPE> line away from the beginning of the file."),
        FeedRefusal.NOT_A_PRODUCT_FEED: words(
            "This is no product feed. Google Merchant's format is the best choice."
        ),
        FeedRefusal.WEB_PAGE: words(
            "This is a web page. Open the address in a private window: it may ask for a login."
        ),
        FeedRefusal.ARCHIVE: words(
            "Unpack it, or save the workbook as CSV. A single file in gzip is read as it is."
        ),
        FeedRefusal.UNKNOWN_ENCODING: words("Its letters cannot be read. Save the file as UTF-8."),
        FeedRefusal.COLUMN_MISSING: words("A column is missing: id, title and price are needed."),
        FeedRefusal.CURRENCY_NEEDED: words("Its prices name no currency. Set the feed's currency below."),
        FeedRefusal.LINK_NEEDED: words("It has no addresses of products. Set the pattern of links below."),
        FeedRefusal.TOO_LARGE: words("It is too large. Split the feed."),
        FeedRefusal.EMPTY: words("No product could be taken. See below why each row was left out."),
        FeedRefusal.SHRANK_BY_HALF: words(
            "More than half of your products would be gone. Is the export complete?"
        ),
        FeedRefusal.NOT_FETCHED: words(
            "Its address did not send it. Open it in a browser: it must answer without a login."
        ),
        FeedRefusal.UNRECORDED: words("It could not be stored. Import it again."),
    }
    return told.get(name, fatal)


def picture_in_words(reason: str, language: str) -> str:
    """Why pictures are not shown, and what to do."""
    words = translations(language).gettext
    if reason in ("status_404", "status_410"):
        return words("There is no picture at the address. Correct image_link in the feed.")
    if reason in ("status_401", "status_403", "status_429"):
        return words("Your server refuses. Let requests of “adserver feed and picture fetcher” pass.")
    if reason in ("too_large", "picture_too_many_bytes", "picture_too_many_pixels"):
        return words("The file is too large. 1,200 pixels a side are plenty.")
    if reason in ("picture_too_small", "picture_blank"):
        return words("A placeholder. Name a picture that shows the product.")
    if reason in ("bad_address", "scheme_not_allowed", "port_not_allowed", "address_not_allowed"):
        return words("No usable address. Write it whole, from https:// on.")
    if reason.startswith("picture_"):
        return words("The file cannot be read. Save it anew as a plain JPEG.")
    return words("The server with the pictures did not answer. It is tried again by itself.")
