"""What is wrong comes as ValueError, TypeError or OSError, in one line that names it."""
import shutil

import numpy as np
import pytest

import glassgpt

VALUE_ERRORS = {
    "a layer that is not there": (dict(layers=[9]), "'9' is no layer of this model: expected 0 to 6"),
    "a layer from the end that is not there": (dict(layers=[-8]), "'-8' is no layer"),
    "a name that is no layer": (dict(layers="last"), "'last' is no layer"),
    "a tap that is not there": (dict(taps="heads"), "there is no tap 'heads'"),
    "a tap without a row per token": (dict(taps=["attention"]), "not a vector per token"),
    "nothing at all": (dict(layers=[]), "layers and taps are both empty"),
    "an empty name": (dict(layers=[""]), "layers has an empty name"),
    "an unknown unit": (dict(unit="sentence"), "unit is 'sentence', expected one of token, "),
    "an unknown pooling": (dict(unit="text", pool="sum"), "pool is 'sum', expected one of mean, "),
    "pooling of one token": (dict(pool="mean"), "a token has one vector"),
    "an unknown truncation": (dict(truncate="middle"), "truncate is 'middle', expected one of error, "),
    "a stride without windows": (dict(stride=4), "truncate='window'"),
    "a stride of nothing": (dict(stride=0, truncate="window"), "stride is 0"),
    "a stride beyond the context": (dict(stride=257, truncate="window"), "stride is 257, expected at most"),
    "no tokens per batch": (dict(batch_tokens=0), "batch_tokens is 0"),
    "threads below nothing": (dict(threads=-1), "threads is -1, expected 0 to"),
    "an unknown product": (dict(gemm="mkl"), "gemm is 'mkl', expected auto, "),
    "an unknown type": (dict(dtype="f16"), "dtype is 'f16', expected f32 or bf16"),
    "bfloat16 by BLAS": (dict(dtype="bf16", gemm="blas"), "gemm must be auto or simd"),
    "an unknown treatment of special tokens": (dict(special="some"), "special is 'some', expected none, "),
    "a centre of another width": (dict(center=[1.0, 2.0]), r"center of final has shape \[2\], expected \[256\]"),
    "a centre that is no number": (dict(center=np.full(256, np.nan)), "the center of final has values that are not finite"),
    "a centre beyond float32": (dict(center=np.full(256, 1e300)), "not finite as float32"),
    "a complex centre": (dict(center=np.zeros(256) * 1j), "has the type complex128, expected real numbers"),
    "more tokens than can be counted": (dict(batch_tokens=10**30), "batch_tokens is 10"),
    "a centre for another layer": (dict(center={0: np.zeros(256)}), "center has no row for final; it has 0"),
}


@pytest.mark.parametrize("case", VALUE_ERRORS)
def test_wrong_arguments_are_named(case, model):
    arguments, message = VALUE_ERRORS[case]
    with pytest.raises(ValueError, match=message) as raised:
        model.embed("a text", **arguments)
    assert "\n" not in str(raised.value)


def test_the_text_that_is_too_long_is_counted(model):
    with pytest.raises(ValueError, match="text 1: 300 tokens, 44 more than the model's context of 256; .*truncate='left'"):
        model.embed(["short", " word" * 300])


def test_special_tokens_can_be_refused(model):
    with pytest.raises(ValueError, match=r"text 0.*<\|endoftext\|>"):
        model.embed("a<|endoftext|>b", special="error")
    assert len(model.tokenize("a<|endoftext|>b", special="all")) == 3


def test_what_is_no_text_is_a_type_error(model):
    for texts, message in ((["a", 3.5], "text 1 is float"), ([None], "text 0 is NoneType"), ([["a"]], "text 0 is list")):
        with pytest.raises(TypeError, match=message):
            model.embed(texts)
    with pytest.raises(TypeError, match="texts is a mapping"):
        model.embed({"a": "b"})
    with pytest.raises(TypeError, match="layers has True"):
        model.embed("a", layers=[True])
    with pytest.raises(TypeError, match="of more than one dimension"):
        model.embed(np.array([["a", "b"]]))
    for texts in (None, 3, bytearray(b"a"), memoryview(b"a")):
        with pytest.raises(TypeError, match=f"texts is {type(texts).__name__}"):
            model.embed(texts)
    for text, index in (("\ud800", 0), (["fine", "a\udcff"], 1)):
        with pytest.raises(ValueError, match=f"text {index} has half a surrogate pair at character {index}"):
            model.embed(text)


def test_a_table_of_texts_is_refused(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"title": ["a", "b"], "text": ["c", "d"]})
    with pytest.raises(TypeError, match="texts is a DataFrame"):
        model.embed(frame)
    assert model.embed(frame["text"], unit="text").rows["token"].tolist() == ["c", "d"]


WRONG_TYPES = {
    "stride": dict(stride=1.5, truncate="window"), "batch_tokens": dict(batch_tokens=512.0), "threads": dict(threads="1"),
    "unit": dict(unit=None), "pool": dict(unit="text", pool=3), "normalize": dict(normalize="no"), "truncate": dict(truncate=None),
    "special": dict(special=None), "gemm": dict(gemm=None), "dtype": dict(dtype=np.float32), "layers": dict(layers=None), "taps": dict(taps=b"q"),
    "center": dict(center={1.0: np.zeros(256)}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_wrong_types_are_named_and_the_texts_are_not(name, model):
    with pytest.raises(TypeError, match=f"^{name} (is|has)") as raised:
        model.embed(["a secret"], **WRONG_TYPES[name])
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)


def test_ids_are_checked(model):
    for ids, message in (([10**6], "1000000"), ([-1], "-1"), ([2**32], "4294967296"), ([0.5], "whole numbers"), ([[1]], "whole")):
        with pytest.raises(ValueError, match=message):
            model.detokenize(ids)
    assert model.detokenize([]) == b""


def test_a_missing_model_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such model directory"):
        glassgpt.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="config.json"):
        glassgpt.load(tmp_path)


def test_a_malformed_model_is_a_value_error(model_directory, tmp_path):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copy(model_directory / name, tmp_path / name)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match='model_type is "llama", which glassgpt does not compute; supported: "gpt2"'):
        glassgpt.load(tmp_path)
    shutil.copy(model_directory / "config.json", tmp_path / "config.json")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="model.safetensors"):
        glassgpt.load(tmp_path)
    shutil.copy(model_directory / "model.safetensors", tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(OSError, match="tokenizer.json"):
        glassgpt.load(tmp_path)
    assert glassgpt.load(tmp_path, tokenizer=model_directory).tokenize("ok").tokens == ["ok"]


def test_the_pattern_of_a_tokenizer_is_checked(model_directory):
    with pytest.raises(ValueError, match="pattern is 'bert', expected gpt2, cl100k or o200k"):
        glassgpt.load(model_directory, pattern="bert")


def test_the_environment_chooses_the_model(monkeypatch, tmp_path):
    monkeypatch.setenv("GLASSGPT_MODEL", str(tmp_path / "chosen"))
    with pytest.raises(FileNotFoundError, match="chosen"):
        glassgpt.load()
