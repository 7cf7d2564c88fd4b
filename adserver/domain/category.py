"""Words and categories as they are compared, however a feed, a publisher or a product set writes them."""

from functools import lru_cache

MOST_REMEMBERED = 4_096


@lru_cache(maxsize=MOST_REMEMBERED)  # a catalogue has few words for many products
def plain(text: str) -> str:
    """A word as it is compared."""
    return " ".join(text.casefold().split())


@lru_cache(maxsize=MOST_REMEMBERED)
def path_of(category: str) -> tuple[str, ...]:
    """Its steps as they are compared, without those that say nothing: feeds end in a `>` at times."""
    return tuple(filter(None, map(plain, category.split(">"))))
