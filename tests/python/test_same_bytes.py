"""The command line and Python give the same bytes, and so does Python however it is asked."""
import json

import numpy as np
import pytest
from conftest import TEXTS


def load_folder(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    arrays = {array["name"]: np.load(folder / array["file"]) for array in manifest["arrays"]}
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    return arrays, rows


def assert_same_arrays(vectors, arrays):
    assert len(vectors) == len(arrays)
    for name, expected in arrays.items():
        found = vectors[name]
        assert found.shape == expected.shape and found.dtype == expected.dtype == np.float32
        assert found.tobytes() == expected.tobytes(), name


CASES = {
    "every layer": (["--layers", "all"], dict(layers="all")),
    "taps": (
        ["--layers", "2,-1", "--taps", "q,mlp_hidden.1,attention_out"],
        dict(layers=[2, -1], taps=["q", "mlp_hidden.1", "attention_out"]),
    ),
    "one vector per text": (["--unit", "text", "--layers", "0,final"], dict(unit="text", layers=[0, "final"])),
    "one vector per word": (["--unit", "word", "--layers", "0,final"], dict(unit="word", layers=[0, "final"])),
    "last token of each word": (["--unit", "word", "--pool", "last"], dict(unit="word", pool="last")),
    "last token": (["--unit", "text", "--pool", "last"], dict(unit="text", pool="last")),
    "first token": (["--unit", "text", "--pool", "first"], dict(unit="text", pool="first")),
    "maximum": (["--unit", "text", "--pool", "max"], dict(unit="text", pool="max")),
    "weighted mean": (["--unit", "text", "--pool", "weighted-mean"], dict(unit="text", pool="weighted-mean")),
    "length one": (["--normalize"], dict(normalize=True)),
    "bfloat16": (["--dtype", "bf16"], dict(dtype="bf16")),
    "reference products": (["--gemm", "reference"], dict(gemm="reference")),
}


@pytest.mark.parametrize("case", CASES)
def test_vectors_are_those_of_the_command_line(case, model, program, text_file, tmp_path):
    options, arguments = CASES[case]
    program("embed", *options, "--input", text_file, "--batch-tokens", 100, "--format", "npy", "-o", tmp_path / "out")
    arrays, _ = load_folder(tmp_path / "out")
    assert_same_arrays(model.embed(TEXTS, **arguments), arrays)


@pytest.mark.parametrize("truncate", ["left", "right", "window"])
def test_long_texts_are_cut_as_on_the_command_line(truncate, model, program, text_file, tmp_path):
    text_file.write_bytes(b"The river " * 200 + b"\n" + TEXTS[0] + b"\n")
    stride = ["--stride", 100] if truncate == "window" else []
    program("embed", "--truncate", truncate, *stride, "--input", text_file, "--format", "npy", "-o", tmp_path / "out")
    arrays, rows = load_folder(tmp_path / "out")
    vectors = model.embed([b"The river " * 200, TEXTS[0]], truncate=truncate, stride=100 if stride else None)
    assert_same_arrays(vectors, arrays)
    assert vectors.texts["tokens"].tolist() == [len(model.tokenize("The river " * 200)), len(model.tokenize(TEXTS[0]))]
    assert vectors.texts["truncated"].tolist() == [truncate != "window", False]
    assert [[row["bytes"][0], row["bytes"][1]] for row in rows] == np.stack(
        [vectors.rows["byte_begin"], vectors.rows["byte_end"]], axis=1
    ).tolist()


def test_a_stored_centre_is_subtracted_as_on_the_command_line(model, program, text_file, tmp_path):
    mean = model.embed(TEXTS)["final"].mean(axis=0)
    np.save(tmp_path / "mean.npy", mean)
    program("embed", "--center", tmp_path / "mean.npy", "--normalize", "--input", text_file, "-o", tmp_path / "out.npz")
    expected = np.load(tmp_path / "out.npz")["final"]
    for center in (mean, mean[np.newaxis], {"final": mean}):
        assert model.embed(TEXTS, center=center, normalize=True)["final"].tobytes() == expected.tobytes()
    # By every name that Vectors knows an array by.
    expected = model.embed(TEXTS, layers=6, center=mean)[6].tobytes()
    for key in (6, "6", -1, "layer_06", np.int64(6)):
        assert model.embed(TEXTS, layers=6, center={key: mean})[6].tobytes() == expected


def test_rows_are_those_of_the_command_line(model, program, text_file, tmp_path):
    program("embed", "--input", text_file, "--format", "npy", "-o", tmp_path / "out")
    _, expected = load_folder(tmp_path / "out")
    rows = model.embed(TEXTS).rows
    assert rows.n_rows == len(expected) > 200
    for r, row in enumerate(expected):
        found = {
            "text": rows["text"][r],
            "token": rows["token"][r],
            "id": rows["id"][r],
            "bytes": [rows["byte_begin"][r], rows["byte_end"][r]],
        }
        assert found == row


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_tokens_are_those_of_the_command_line(number, model, program, tmp_path):
    (tmp_path / "text").write_bytes(TEXTS[number])
    (expected,) = program.json_lines("tokenize", "--input-format", "whole", "--input", tmp_path / "text")
    tokens = model.tokenize(TEXTS[number])
    assert tokens.ids.tolist() == expected["ids"]
    assert tokens.tokens == list(tokens) == expected["tokens"]
    assert tokens.bytes.tolist() == expected["bytes"]
    assert tokens.chars.tolist() == expected["chars"]
    assert model.detokenize(tokens.ids) == TEXTS[number]


def test_neither_threads_nor_batches_nor_neighbours_nor_order_change_a_byte(model):
    vectors = model.embed(TEXTS, layers="all", threads=1)
    for options in (dict(threads=2), dict(threads=5), dict(batch_tokens=1), dict(batch_tokens=10**6)):
        other = model.embed(TEXTS, layers="all", **options)
        assert all(other[key].tobytes() == vectors[key].tobytes() for key in vectors), options
    backwards = model.embed(TEXTS[::-1], layers="all")
    for number, text in enumerate(TEXTS):
        alone = model.embed(text, layers=[3, "final"])
        for key in alone:
            assert alone[key].tobytes() == vectors.of(number)[key].tobytes()
            assert alone[key].tobytes() == backwards.of(len(TEXTS) - 1 - number)[key].tobytes()


def test_a_trace_has_the_bytes_of_the_vectors(model):
    trace, vectors = model.trace(TEXTS[0]), model.embed(TEXTS[0], layers="all", taps=["q", "mlp_out", "attention_out"])
    assert trace["embedding"].tobytes() == vectors[0].tobytes()
    assert trace["final"].tobytes() == vectors["final"].tobytes()
    for block in range(model.config["n_layer"]):
        assert trace["residual"][block].tobytes() == vectors[block + 1].tobytes()
        for tap in ("q", "mlp_out", "attention_out"):
            assert trace[tap][block].tobytes() == trace[f"{tap}.{block}"].tobytes() == vectors[f"{tap}_{block:02d}"].tobytes()
    assert model.trace(TEXTS[0], ["q"])["q"].tobytes() == trace["q"].tobytes()
