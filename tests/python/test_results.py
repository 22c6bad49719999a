"""Names, tables and what notebooks show."""
import html.parser

import numpy as np
import pytest

import glassgpt

TEXTS = ["The river bank", "", "银行 <b>&amp;"]


@pytest.fixture(scope="module")
def vectors(model):
    return model.embed(TEXTS, layers=[0, -1, "final"], taps=["q.3"])


def test_layers_have_the_names_that_people_use(model, vectors):
    assert list(vectors) == [0, 6, "final", "q_03"]
    for name in (6, -1, "6", "-1", "layer_06", "layer_6", np.int64(6)):
        assert vectors[name] is vectors[6]
    assert vectors[-7] is vectors[0] and "final" in vectors and 3 not in vectors
    for name in (3, "layer_03", "q", "x", True, 7, -8, None):
        with pytest.raises(KeyError):
            vectors[name]
    with pytest.raises(KeyError, match="there are 0, 6, 'final', 'q_03'"):
        vectors[3]


def test_layers_are_given_in_every_form(model):
    for layers, names in (
        ([0, -1, "final"], [0, 6, "final"]),
        (("0", "-1", "final"), [0, 6, "final"]),
        ("0,-1,final", [0, 6, "final"]),
        (np.array([0, 6]), [0, 6]),
        ((k for k in (0, "final")), [0, "final"]),
    ):
        assert list(model.embed("a", layers=layers)) == names
    assert list(model.embed("a")) == ["final"]
    assert list(model.embed("a", layers="all")) == [0, 1, 2, 3, 4, 5, 6, "final"]
    assert list(model.embed("a", layers=(), taps="mlp_hidden.0")) == ["mlp_hidden_00"]


def test_one_text_needs_no_list(model):
    for text in ("one text", b"one text", ["one text"], ("one text",), np.array(["one text"], dtype=object)):
        assert model.embed(text).texts.n_rows == 1
    nothing = model.embed([])
    assert nothing["final"].shape == (0, 256) and nothing.rows.n_rows == nothing.texts.n_rows == 0


def test_rows_say_whose_each_is(model, vectors):
    rows = vectors.rows
    assert list(rows) == ["text", "token", "id", "byte_begin", "byte_end", "char_begin", "char_end"]
    assert rows.n_rows == len(vectors["final"])
    assert set(rows["text"]) == {0, 2}
    for number, text in enumerate(TEXTS):
        assert "".join(rows["token"][rows["text"] == number]) == text
        begin, end = vectors.texts["row_begin"][number], vectors.texts["row_end"][number]
        assert list(rows["text"][begin:end]) == [number] * (end - begin)
        np.testing.assert_array_equal(vectors.of(number)["final"], vectors["final"][begin:end])
    tokens = model.tokenize(TEXTS[2])
    assert rows["id"][rows["text"] == 2].tolist() == tokens.ids.tolist()
    assert rows["char_end"][rows["text"] == 2].tolist() == tokens.chars[:, 1].tolist()


def test_rows_of_whole_texts_have_the_text_and_its_tokens(model):
    rows = model.embed(TEXTS, unit="text").rows
    assert list(rows) == ["text", "token", "tokens", "byte_begin", "byte_end", "char_begin", "char_end"]
    assert rows["text"].tolist() == [0, 2] and rows["token"].tolist() == [TEXTS[0], TEXTS[2]]
    assert rows["tokens"].tolist() == [len(model.tokenize(TEXTS[0])), len(model.tokenize(TEXTS[2]))]


def test_rows_of_words_have_their_exact_ranges_in_bytes_and_characters(model):
    texts = ["naïve café 银行 ok".encode(), b"\xff\xe9\x93 bank \xe9\x93\xb6\xe8\xa1\x8c", b""]
    rows = model.embed(texts, unit="word").rows
    assert rows["token"].tolist() == ["naïve", "café", "银行", "ok", "bank", "银行"]
    for text, word, byte_begin, byte_end, char_begin, char_end in zip(
        *(rows[name].tolist() for name in ("text", "token", "byte_begin", "byte_end", "char_begin", "char_end"))
    ):
        assert texts[text][byte_begin:byte_end].decode() == word
        # Each invalid byte counts as one character.
        assert texts[text].decode("utf-8", "surrogateescape")[char_begin:char_end] == word


def test_tables_are_what_pandas_takes(model, vectors):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (Debian: python3-pandas)")
    frame = pandas.DataFrame(vectors.rows)
    assert list(frame) == list(vectors.rows) and len(frame) == vectors.rows.n_rows
    assert frame.equals(vectors.rows.to_pandas())
    assert frame.groupby("text")["token"].sum().to_dict() == {0: TEXTS[0], 2: TEXTS[2]}
    assert vectors.texts.to_pandas()["truncated"].dtype == bool
    by_column = pandas.Series(TEXTS, index=["x", "y", "z"])
    assert model.embed(by_column)["final"].tobytes() == vectors["final"].tobytes()


class Checker(html.parser.HTMLParser):
    """Every tag that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_notebooks_show_tables_whose_text_is_escaped(model, vectors):
    trace, tokens = model.trace(TEXTS[2]), model.tokenize(TEXTS[2])
    whole = model.embed(TEXTS, unit="text").rows
    assert "<td>银行 &lt;b&gt;&amp;amp;</td>" in whole._repr_html_()
    for shown in (model, vectors, vectors.rows, vectors.texts, whole, trace, tokens):
        checker = Checker()
        checker.feed(shown._repr_html_())
        checker.close()
        assert not checker.open and "table" in checker.tags and "b" not in checker.tags
    assert "<td>&lt;</td>" in tokens._repr_html_()
    assert "softmax" in trace._repr_html_() and "6 × 8" in trace._repr_html_()
    assert "8192" in model._repr_html_() and "1e-05" in model._repr_html_()


def test_long_tables_are_cut_where_shown(model):
    shown = model.embed(" word" * 100).rows._repr_html_()
    assert "100 rows" in shown and shown.count("<tr>") == 12 and "…" in shown


def test_every_object_says_what_it_is(model, vectors):
    assert "6 layers, width 256, 8 heads, vocabulary 8192, context 256" in repr(model)
    assert "3 texts" in repr(vectors) and "'final': [" in repr(vectors)
    assert repr(model.tokenize("a b")) == "<glassgpt.Tokens: 2: 'a' ' b'>"
    assert "attention_heads" in repr(model.trace("a")) and "rows: text, token" in repr(vectors.rows)


def test_the_package_says_its_version_and_what_computes():
    assert glassgpt.__version__ == "0.1.0"
    assert glassgpt.default_threads() >= 1
    assert glassgpt.isa() in ("scalar", "sse2", "avx2", "avx512", "avx512bf16", "amx", "neon64")
