"""Every named stage, held against what numpy makes of the stages before it."""
import numpy as np
import pytest

TEXT = "The river bank, 河岸 and 银行."


@pytest.fixture(scope="module")
def trace(model):
    return model.trace(TEXT)


def test_it_has_every_stage_in_the_order_of_the_pass(model, trace):
    names = (
        "tokens token_embedding position embedding ln_1 q k v scores attention attention_heads attention_out residual_mid ln_2 "
        "mlp_hidden mlp_out residual final logits"
    ).split()
    assert list(trace) == names and len(trace) == len(names)
    assert model.stages == names[1:]
    assert trace["tokens"].tolist() == model.tokenize(TEXT).ids.tolist()


def test_shapes_have_blocks_and_heads_in_front(model, trace):
    c, t = model.config, len(trace.tokens)
    blocks, heads, width = c["n_layer"], c["n_head"], c["n_embd"]
    for name in trace:
        expected = {
            "tokens": (t,),
            "scores": (blocks, heads, t, t),
            "attention": (blocks, heads, t, t),
            "mlp_hidden": (blocks, t, c["n_inner"]),
            "logits": (t, c["vocab_size"]),
        }.get(name, (t, width) if name in ("token_embedding", "position", "embedding", "final") else (blocks, t, width))
        assert trace[name].shape == expected, name


def test_sums_of_the_residual_stream_are_exact(trace):
    np.testing.assert_array_equal(trace["embedding"], trace["token_embedding"] + trace["position"])
    entering = np.concatenate([trace["embedding"][np.newaxis], trace["residual"][:-1]])
    np.testing.assert_array_equal(trace["residual_mid"], entering + trace["attention_out"])
    np.testing.assert_array_equal(trace["residual"], trace["residual_mid"] + trace["mlp_out"])


def test_attention_is_what_numpy_makes_of_queries_keys_and_values(model, trace):
    heads, t = model.config["n_head"], len(trace.tokens)

    def split(name):
        return trace[name].astype(np.float64).reshape(trace[name].shape[0], t, heads, -1).transpose(0, 2, 1, 3)

    q, k, v = split("q"), split("k"), split("v")
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
    scores[:, :, np.triu(np.ones((t, t), bool), 1)] = -np.inf
    np.testing.assert_allclose(trace["scores"], scores, atol=1e-4 * np.abs(scores[np.isfinite(scores)]).max())
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(trace["attention"], weights, atol=1e-4)
    summed = (weights @ v).transpose(0, 2, 1, 3).reshape(trace["attention_heads"].shape)
    np.testing.assert_allclose(trace["attention_heads"], summed, atol=1e-4 * np.abs(summed).max())


def test_logits_are_final_times_the_embedding_table(model, trace):
    assert model.config["tie_word_embeddings"]
    expected = trace["final"].astype(np.float64) @ model.token_embedding.astype(np.float64).T
    np.testing.assert_allclose(trace["logits"], expected, atol=1e-5 * np.abs(expected).max())


def test_only_what_is_asked_for_is_there(model):
    trace = model.trace(TEXT, ["attention", "embedding"])
    assert list(trace) == ["tokens", "embedding", "attention"]
    assert list(model.trace(TEXT, "q")) == ["tokens", "q"]
    with pytest.raises(KeyError, match="there are tokens, embedding, attention"):
        trace["q"]


def test_one_block_has_a_name(model, trace):
    for name in ("ln_1.2", "ln_1_02"):
        np.testing.assert_array_equal(trace[name], trace["ln_1"][2])
    with pytest.raises(KeyError, match="blocks are numbered 0 to 5"):
        trace["q.6"]
    for name in ("final.0", "z", 3):
        with pytest.raises(KeyError):
            trace[name]


def test_a_text_without_tokens_has_stages_without_rows(model):
    trace = model.trace("")
    assert trace["final"].shape == (0, model.config["n_embd"])
    assert trace["attention"].shape == (model.config["n_layer"], model.config["n_head"], 0, 0)


def test_what_it_cannot_do_is_said(model):
    with pytest.raises(ValueError, match="there is no stage 'heads'; there are token_embedding, position"):
        model.trace(TEXT, ["heads"])
    with pytest.raises(ValueError, match="300 tokens, 44 more than the model's context of 256"):
        model.trace(" word" * 300)
    with pytest.raises(TypeError, match="the text is list, expected str or bytes"):
        model.trace([TEXT])
