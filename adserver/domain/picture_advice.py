"""What whoever runs a shop can do about a picture that is not shown, by the reason's name."""

_ADVICE = {
    "unreachable": "Its host does not answer. Open the address in a browser; the host must be on the public "
    "internet. It is tried again by itself, within the day.",
    "timed_out": "Its host took too long. Name smaller pictures; it is tried again by itself.",
    "host_resting": "Its host failed several times in a row and is left alone for up to an hour; then it is "
    "tried again by itself.",
    "status_401": "The host asks for a login. Name an address that everybody may open.",
    "status_403": "The host forbids it, as a protection against hotlinks does. Let requests pass whose "
    "User-Agent is `adserver feed and picture fetcher`.",
    "status_404": "There is no picture at this address. Correct `image_link` in the feed.",
    "status_410": "The picture was taken away. Correct `image_link` in the feed.",
    "status_429": "The host was asked too often for its taste. Let requests pass whose User-Agent is "
    "`adserver feed and picture fetcher`; it is tried again by itself.",
    "too_many_redirects": "The address leads on and on. Name the one where the picture lies.",
    "too_large": "The file is larger than 8 MB. Name a smaller one: 1,200 pixels a side are plenty.",
    "bad_address": "That is no address. Write it whole, like https://shop.example/boots.jpg.",
    "scheme_not_allowed": "Only addresses that begin with https:// or http:// are fetched.",
    "port_not_allowed": "Only the ports 443 and 80 are asked. Name an address without a port.",
    "address_not_allowed": "The host is of a private network. Name one on the public internet.",
    "encoding_not_known": "The host compresses the picture in a way that was not asked for. Have it send "
    "pictures as they are.",
    "encoding_damaged": "What the host sent breaks off. Open the address in a browser, and repair the host.",
    "picture_too_many_bytes": "The file is too large. Name a smaller one: 1,200 pixels a side are plenty.",
    "picture_not_png_jpeg_gif_or_webp": "The file is no PNG, JPEG, GIF or WebP, whatever its name says: "
    "often it is a page that says `not found`, or a TIFF, AVIF or SVG. Save it as JPEG.",
    "picture_too_many_pixels": "It has more than 25 megapixels, over all its frames. Save it smaller: 1,200 "
    "pixels a side are plenty.",
    "picture_too_many_scans": "The JPEG is saved in an odd way that takes very long to read. Save it anew.",
    "picture_too_small": "A side is shorter than 32 pixels, as of a placeholder. Name the product's picture.",
    "picture_blank": "It is white all over. Name a picture that shows the product.",
    "picture_damaged": "The file breaks off or is broken. Open it, and save it anew.",
    "picture_decoder_too_slow": "It took too long to read. Save it as a plain JPEG of 1,200 pixels a side.",
    "picture_decoder_died": "It could not be read within the memory that a picture may take. Save it as a "
    "plain JPEG of 1,200 pixels a side.",
}  # fmt: skip
KNOWN_REASONS = frozenset(_ADVICE)


def advice(reason: str) -> str:
    if reason in _ADVICE:
        return _ADVICE[reason]
    if reason.startswith("status_5"):
        return "The host has a fault of its own. It is tried again by itself, within the day."
    return "The host did not send the picture. Open the address in a browser, and correct it."
