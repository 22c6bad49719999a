"""Arrays are numpy's without a copy, and live as long as somebody looks at them."""
import gc
import resource

import numpy as np
import pytest

import glassgpt


def owner_of(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base


def test_arrays_look_at_the_engines_own_memory(model):
    vectors = model.embed(["one text", "and another"], layers="all", taps="q")
    arrays = [*vectors.values(), *model.trace("one text").values(), *vectors.texts.values()]
    for array in [*arrays, vectors.rows["text"], vectors.rows["id"], model.tokenize("a b").bytes]:
        assert not array.flags.owndata
        assert type(owner_of(array)).__name__ == "PyCapsule"


def test_vectors_are_plain_float32_that_may_be_written(model):
    vectors = model.embed("a text", layers=[0, "final"])
    for array in vectors.values():
        assert array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
    before = model.embed("a text")["final"]
    vectors["final"][:] = 0
    np.testing.assert_array_equal(model.embed("a text")["final"], before)


def test_arrays_outlive_the_model_and_what_they_came_in(model_directory):
    model = glassgpt.load(model_directory)
    expected = model.embed("a longer text than before")["final"].copy()
    row, stage, table = model.embed("a longer text than before")["final"][1], model.trace("a")["q"], model.token_embedding
    q = stage.copy()
    first = table[0].copy()
    del model
    gc.collect()
    assert row.tobytes() == expected[1].tobytes()
    assert stage.tobytes() == q.tobytes()
    assert table[0].tobytes() == first.tobytes()


def test_the_embedding_table_is_read_only_and_that_of_layer_0(model):
    table, trace = model.token_embedding, model.trace("The river")
    assert table.shape == (model.config["vocab_size"], model.config["n_embd"])
    scale = np.float32(model.config["embedding_scale"])
    np.testing.assert_array_equal(table[trace["tokens"]] * scale, trace["token_embedding"])
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1.0


def test_memory_comes_back(model):
    """40 times 25 MB: kept, they would be 1 GB."""
    texts = [" word" * 250] * 100
    model.embed(texts, layers=0, threads=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40):
        vectors = model.embed(texts, layers=0, threads=1)
        assert vectors[0].nbytes > 25 * 10**6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
