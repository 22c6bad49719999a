"""The forward pass in double precision, as the paper's formulas stand: the oracle of the comparison."""

import numpy as np

import model_files


def layer_norm(x, weight, bias, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * weight + bias


def gelu(x):
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def causal_attention(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[1])
    scores[np.triu_indices(len(q), 1)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def layers(directory, ids):
    """[L + 2, T, C]: the residual stream before every block and after the last, and its layer norm."""
    config, stored = model_files.read_model(directory)
    tables = ("wte.weight", "wpe.weight")
    t = {name: w.astype(np.float64) for name, w in stored.items() if name not in tables}
    epsilon, width = config.get("layer_norm_epsilon", 1e-5), config["n_embd"]
    head = width // config["n_head"]

    def norm(x, name):
        return layer_norm(x, t[f"{name}.weight"], t[f"{name}.bias"], epsilon)

    def linear(x, name):
        return x @ t[f"{name}.weight"] + t[f"{name}.bias"]

    x = stored["wte.weight"][ids].astype(np.float64) + stored["wpe.weight"][: len(ids)]
    result = [x]
    for block in (f"h.{k}" for k in range(config["n_layer"])):
        q, k, v = np.split(linear(norm(x, f"{block}.ln_1"), f"{block}.attn.c_attn"), 3, axis=1)
        columns = [slice(begin, begin + head) for begin in range(0, width, head)]
        heads = [causal_attention(q[:, c], k[:, c], v[:, c]) for c in columns]
        x = x + linear(np.hstack(heads), f"{block}.attn.c_proj")
        x = x + linear(gelu(linear(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")), f"{block}.mlp.c_proj")
        result.append(x)
    return np.stack([*result, norm(x, "ln_f")])
