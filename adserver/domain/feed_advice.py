"""What to do about each thing that may be wrong with a feed, in words for whoever keeps the shop."""

from adserver.domain.feed import Note, Rejection
from adserver.domain.feed_file import FeedRefusal

Name = Rejection | Note | FeedRefusal

_ROWS: dict[Name, str] = {
    Rejection.MISSING_ID: "Give the product an id, the same that the shop's pages send with their events.",
    Rejection.BAD_ID: "Shorten the id to 100 characters, of letters that can be seen.",
    Rejection.DUPLICATE_ID: "The first row with this id was taken: give each product and variant its own.",
    Rejection.MISSING_TITLE: "Give the product a title.",
    Rejection.MISSING_LINK: "Give the product the address of its page, or the feed a link_template.",
    Rejection.BAD_LINK: "Write the whole address of the page, beginning with https://.",
    Rejection.FOREIGN_LINK: "Link to a page on the advertiser's domains, or have the operator add one.",
    Rejection.MISSING_PRICE: "Give the product its price, such as 15.00 EUR.",
    Rejection.BAD_PRICE: "Write one price above zero, such as 15.00 EUR.",
    Rejection.MISSING_CURRENCY: "Write it with the price, such as 15.00 EUR, or set the feed's currency.",
    Rejection.WRONG_CURRENCY: "Send prices in the advertiser's currency: another is another advertiser.",
    Rejection.FIELD_TOO_LONG: "Shorten the field; something else than its text has probably run into it.",
    Rejection.COLUMNS_SHIFTED: "Put texts that hold the separator between double quotes.",
    Rejection.NOT_JSON: "Write the line as one JSON object.",
    Rejection.PRICE_WITHOUT_TAX: "Send the price with tax (PRICE_VAT), or the rate of tax (VAT) beside it.",
    Rejection.NOT_PUBLISHED: "The shop does not show it. Publish it there if it is to be advertised.",
    Rejection.VARIABLE_PRODUCT: "It is sold as its variations. See that the export includes them.",
    Rejection.GROUPED_PRODUCT: "A collection has no price of its own: its products are advertised.",
}
_NOTES: dict[Name, str] = {
    Note.TITLE_CUT: "Shorten the title to 300 characters; a card shows about 60.",
    Note.BAD_SALE_PRICE: "The sale price was left out: it must be below the price and in its currency.",
    Note.BAD_SALE_DATES: "The sale was left out: write its dates as 2026-01-01/2026-01-31.",
    Note.BAD_IMAGE_LINK: "Write the whole address of the picture, beginning with https://.",
    Note.UNKNOWN_AVAILABILITY: "It counts as out of stock: write in_stock, preorder or backorder.",
    Note.BAD_GTIN: "The barcode was left out: it has 8, 12, 13 or 14 digits.",
    Note.ID_IS_GROUP_ID: "Give variants ids of their own, else pages cannot name one of them.",
    Note.ID_FROM_HANDLE: "Give each variant a SKU. Until then the shop's pages must send the id shown here.",
    Note.TAX_ADDED: "The price was sent without tax: the rate in the feed was added. Better send PRICE_VAT.",
    Note.IMAGE_NOT_IN_FILE: "Export all content, not products alone: the pictures' addresses are posts too.",
}
_FEEDS: dict[Name, str] = {
    FeedRefusal.NOT_WELL_FORMED: "Correct the line, or have the shop's software write the file.",
    FeedRefusal.DTD_FORBIDDEN: "Remove the <!DOCTYPE> line from the beginning of the file.",
    FeedRefusal.NOT_A_PRODUCT_FEED: "Export one of the formats of docs/feeds.md, such as Google Merchant's.",
    FeedRefusal.WEB_PAGE: "Open the address in a private window: it may ask for a login, or have moved.",
    FeedRefusal.ARCHIVE: "Unpack it, or save the workbook as CSV. A single file in gzip is read as it is.",
    FeedRefusal.UNKNOWN_ENCODING: "Save the file as UTF-8.",
    FeedRefusal.COLUMN_MISSING: "Add the column, or give it the name that Google Merchant has for it.",
    FeedRefusal.CURRENCY_NEEDED: "Set the feed's currency, or `--currency EUR` with `adserver feed check`.",
    FeedRefusal.LINK_NEEDED: (
        "Set the feed's link_template, or `--link` with `adserver feed check`: Shopify "
        "`https://shop.example/products/{handle}`, WooCommerce `https://shop.example/?p={post_id}`, "
        "others `{id}`."
    ),
    FeedRefusal.TOO_LARGE: "Split the feed, or see what makes it so large: the line is where reading ended.",
    FeedRefusal.EMPTY: "See why each row was left out; a feed without any product changes nothing.",
    FeedRefusal.SHRANK_BY_HALF: "If so many products have really gone, approve the import that waits.",
    FeedRefusal.NOT_FETCHED: "Open the address in a browser, and see that it answers without a login.",
    FeedRefusal.UNRECORDED: "Import it again; if that fails too, ask the operator whether the disk is full.",
}
_ADVICE: dict[str, str] = {str(name): words for name, words in (_ROWS | _NOTES | _FEEDS).items()}
_UNKNOWN = "A newer version of this server left it out: its page about feeds says why."


def advice_for(name: str) -> str:
    """The next thing to do; reports that were kept may hold names of other versions."""
    return _ADVICE.get(name, _UNKNOWN)


def advice_on(fatal: str) -> str:
    """The next thing to do about a refused feed, whose name `fatal` begins with; "" where that is unknown."""
    name = fatal.partition(":")[0].partition(" ")[0]
    return _ADVICE.get(name, "")
