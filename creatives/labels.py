"""The words a creative says in its own voice, by language; English where a language has no table."""

import msgspec


class Labels(msgspec.Struct, frozen=True):
    """Every word we print that is neither the advertiser's nor the product's."""

    ad: str  # the advertising label that law and IAB ask for
    why: str  # the link that says why this ad was shown
    see_it: str  # a card's button
    code: str  # before a voucher code
    was: str  # read aloud before the struck-through price
    pool: str  # each click gets a code of its own
    ends_in: str  # {time} is "2 h 14 min", counted down by the creative's script
    ends_on: str  # {date} is a day and a month
    close: str  # the button that takes the creative away
    gone: str  # what stands in its place
    stop: str  # the link to whoever does not want to see this product any more
    back: str  # a carousel's buttons
    next: str
    house_headline: str
    house_body: str


LABELS = {
    "en": Labels(
        ad="Ad",
        why="Why this ad?",
        see_it="See it",
        code="Code",
        was="was",
        pool="Your code after the click",
        ends_in="Ends in {time}",
        ends_on="Ends {date}",
        close="Close this ad",
        gone="Thanks, it is gone.",
        stop="Stop showing me this",
        back="Previous product",
        next="Next product",
        house_headline="Your ad could be here",
        house_body="This space is waiting for something good.",
    ),
    "fr": Labels(
        ad="Pub",
        why="Pourquoi cette pub\u202f?",
        see_it="Voir",
        code="Code",
        was="au lieu de",
        pool="Votre code après le clic",
        ends_in="Finit dans {time}",
        ends_on="Jusqu'au {date}",
        close="Fermer cette pub",
        gone="Merci, c'est retiré.",
        stop="Ne plus me montrer ceci",
        back="Produit précédent",
        next="Produit suivant",
        house_headline="Votre annonce pourrait être ici",
        house_body="Cet espace n'attend qu'une bonne idée.",
    ),
    "it": Labels(
        ad="Annuncio",
        why="Perché questo annuncio?",
        see_it="Scopri",
        code="Codice",
        was="anziché",
        pool="Il tuo codice dopo il clic",
        ends_in="Termina tra {time}",
        ends_on="Fino al {date}",
        close="Chiudi l'annuncio",
        gone="Grazie, è stato rimosso.",
        stop="Non mostrarmelo più",
        back="Prodotto precedente",
        next="Prodotto successivo",
        house_headline="Il tuo annuncio potrebbe essere qui",
        house_body="Questo spazio aspetta una buona idea.",
    ),
    "de": Labels(
        ad="Anzeige",
        why="Warum diese Anzeige?",
        see_it="Ansehen",
        code="Code",
        was="statt",
        pool="Ihr Code nach dem Klick",
        ends_in="Endet in {time}",
        ends_on="Endet am {date}",
        close="Anzeige schließen",
        gone="Danke, sie ist weg.",
        stop="Nicht mehr zeigen",
        back="Voriges Produkt",
        next="Nächstes Produkt",
        house_headline="Hier könnte Ihre Anzeige stehen",
        house_body="Dieser Platz wartet auf eine gute Idee.",
    ),
    "es": Labels(
        ad="Anuncio",
        why="¿Por qué este anuncio?",
        see_it="Ver",
        code="Código",
        was="antes",
        pool="Tu código tras el clic",
        ends_in="Termina en {time}",
        ends_on="Hasta el {date}",
        close="Cerrar el anuncio",
        gone="Gracias, ya no está.",
        stop="No volver a mostrarlo",
        back="Producto anterior",
        next="Producto siguiente",
        house_headline="Tu anuncio podría estar aquí",
        house_body="Este espacio espera una buena idea.",
    ),
    "ar": Labels(
        ad="إعلان",
        why="لماذا هذا الإعلان؟",
        see_it="تسوّق الآن",
        code="الرمز",
        was="بدلاً من",
        pool="رمزك بعد النقر",
        ends_in="ينتهي خلال {time}",
        ends_on="ينتهي في {date}",
        close="إغلاق الإعلان",
        gone="شكرًا، تمت إزالة الإعلان.",
        stop="لا تعرضه عليّ مجددًا",
        back="المنتج السابق",
        next="المنتج التالي",
        house_headline="إعلانك يمكن أن يكون هنا",
        house_body="هذه المساحة في انتظار فكرة جيدة.",
    ),
}

FALLBACK_LANGUAGE = "en"
FROM_RIGHT_TO_LEFT = frozenset("ar dv fa he iw ks ku ps sd ug ur yi".split())  # iw is Hebrew's older tag


def spoken_language(language: str) -> str:
    """The primary tag of `language` when we have its words ("fr-CH" -> "fr"), else English."""
    primary = primary_tag(language)
    return primary if primary in LABELS else FALLBACK_LANGUAGE


def primary_tag(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def direction_of(language: str) -> str:
    """How a document's sides are laid out, whether or not we have its language's words."""
    return "rtl" if primary_tag(language) in FROM_RIGHT_TO_LEFT else "ltr"


def labels_for(language: str) -> Labels:
    return LABELS[spoken_language(language)]
