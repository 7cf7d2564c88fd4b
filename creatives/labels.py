"""The words a creative says in its own voice, by language; English where a language has no table."""

import msgspec


class Labels(msgspec.Struct, frozen=True):
    """Every word we print that is neither the advertiser's nor the product's."""

    ad: str  # the advertising label that law and IAB ask for
    why: str  # the link that says why this ad was shown
    see_it: str  # a card's button
    code: str  # before a voucher code
    was: str  # read aloud before the struck-through price
    house_headline: str
    house_body: str


LABELS = {
    "en": Labels(
        ad="Ad",
        why="Why this ad?",
        see_it="See it",
        code="Code",
        was="was",
        house_headline="Your ad could be here",
        house_body="This space is waiting for something good.",
    ),
    "fr": Labels(
        ad="Pub",
        why="Pourquoi cette pub\u202f?",
        see_it="Voir",
        code="Code",
        was="au lieu de",
        house_headline="Votre annonce pourrait être ici",
        house_body="Cet espace n'attend qu'une bonne idée.",
    ),
    "it": Labels(
        ad="Annuncio",
        why="Perché questo annuncio?",
        see_it="Scopri",
        code="Codice",
        was="anziché",
        house_headline="Il tuo annuncio potrebbe essere qui",
        house_body="Questo spazio aspetta una buona idea.",
    ),
    "de": Labels(
        ad="Anzeige",
        why="Warum diese Anzeige?",
        see_it="Ansehen",
        code="Code",
        was="statt",
        house_headline="Hier könnte Ihre Anzeige stehen",
        house_body="Dieser Platz wartet auf eine gute Idee.",
    ),
    "es": Labels(
        ad="Anuncio",
        why="¿Por qué este anuncio?",
        see_it="Ver",
        code="Código",
        was="antes",
        house_headline="Tu anuncio podría estar aquí",
        house_body="Este espacio espera una buena idea.",
    ),
}

FALLBACK_LANGUAGE = "en"


def spoken_language(language: str) -> str:
    """The primary tag of `language` when we have its words ("fr-CH" -> "fr"), else English."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LABELS else FALLBACK_LANGUAGE


def labels_for(language: str) -> Labels:
    return LABELS[spoken_language(language)]
