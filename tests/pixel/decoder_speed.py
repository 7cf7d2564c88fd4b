"""How long one TC string takes to decode, and one whole decision on consent: python -m tests.pixel.decoder_speed."""

import json
from collections.abc import Callable
from time import thread_time_ns

from pixel import consent
from pixel.consent import Region, Said, Signals, decide
from pixel.tcf import decode
from tests.pixel.consent_strings import NOW_MS, VENDOR, make_gpp, make_tc, make_usnat
from tests.shared_data import SHARED_DATA

ROUNDS = 400


def microseconds(act: Callable[[str], object], texts: list[str]) -> list[float]:
    """What each call took of the processor, whoever else uses it, the strings in turn; sorted.

    The first round only warms up.
    """
    taken = []
    for round_number in range(ROUNDS + 1):
        for text in texts:
            began = thread_time_ns()
            act(text)
            if round_number:
                taken.append((thread_time_ns() - began) / 1_000)
    return sorted(taken)


def forget() -> None:
    """So that each text is a new one: what is remembered costs next to nothing."""
    consent._KNOWN.clear()
    consent._read_answer.cache_clear()


def told(name: str, taken: list[float]) -> str:
    figures = [taken[min(int(len(taken) * part), len(taken) - 1)] for part in (0.5, 0.99, 0.999)]
    p50, p99, p999 = figures
    return f"{name:32} p50 {p50:7.1f} us   p99 {p99:7.1f} us   p99.9 {p999:7.1f} us   ({len(taken)} calls)"


def figures() -> dict[str, list[float]]:
    """What is measured, and how long each call of it took."""
    path = SHARED_DATA / "consent" / "tc_strings.jsonl"
    texts = [json.loads(line)["tc"] for line in path.read_text().splitlines()] if path.exists() else []
    texts += [make_tc(), make_tc(vendors=range(1, 1_000, 2), disclosed=range(1, 1_000))]
    gpp = make_gpp({7: make_usnat()})

    def decided(text: str) -> object:
        said = Said(gdpr="1", gdpr_consent=text, gpp=gpp, gpp_sid="7")
        forget()
        return decide(Signals(Region.STRICT, NOW_MS, said, VENDOR))

    return {
        "tcf.decode": microseconds(decode, texts),
        "consent.decide, TCF and GPP": microseconds(decided, texts),
        "consent.decide, nothing said": microseconds(lambda _: decide(Signals(Region.OPEN, NOW_MS)), texts),
    }


def main() -> None:
    for name, taken in figures().items():
        print(told(name, taken))


if __name__ == "__main__":
    main()
