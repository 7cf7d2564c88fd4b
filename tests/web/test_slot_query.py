"""A slot's query is read as the library would read it, however quickly."""

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from adserver.web.hot_answers import MOST_QUERY_BYTES, fields_of
from pixel.parse import UNHEARD

queries = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="abn=&;%2+ \xe4", max_size=40).map(lambda text: text.encode("latin-1")),
    st.lists(st.sampled_from([b"n=1", b"click=a%3Ab", b"n=", b"=x", b"n", b"n=a=b", b"n=a+b"])).map(
        b"&".join
    ),
)


@given(queries)
def test_a_query_is_read_as_the_library_reads_it(query: bytes) -> None:
    assert fields_of(query) == dict(parse_qsl(query.decode("latin-1")))


def test_a_query_that_is_too_long_to_be_read_is_no_silence() -> None:
    assert fields_of(b"n=" + b"a" * MOST_QUERY_BYTES) == {"consent": UNHEARD}
    assert fields_of(b"n=" + b"a" * (MOST_QUERY_BYTES - 2)) == {"n": "a" * (MOST_QUERY_BYTES - 2)}
