"""Random weights as a Hugging Face model directory, and such a directory read as numpy arrays."""

import json
import os
import shutil
import sys

import numpy as np

GPT2_124M = {
    "model_type": "gpt2",
    "architectures": ["GPT2Model"],
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "torch_dtype": "float32",
}


def random_tensors(config, seed):
    """GPT-2's initialisation, but gains and biases are random too: 1 and 0 would hide their misuse."""
    random = np.random.default_rng(seed)
    width, layers = config["n_embd"], config["n_layer"]

    def normal(*shape, scale=0.02, mean=0.0):
        return mean + scale * random.standard_normal(shape, dtype=np.float32)

    tensors = {
        "wte.weight": normal(config["vocab_size"], width),
        "wpe.weight": normal(config["n_positions"], width, scale=0.01),
        "ln_f.weight": normal(width, scale=0.1, mean=1.0),
        "ln_f.bias": normal(width),
    }
    residual_scale = 0.02 / np.sqrt(2.0 * layers)
    for k in range(layers):
        for name, rows, cols, scale in (
            ("attn.c_attn", width, 3 * width, 0.02),
            ("attn.c_proj", width, width, residual_scale),
            ("mlp.c_fc", width, 4 * width, 0.02),
            ("mlp.c_proj", 4 * width, width, residual_scale),
        ):
            tensors[f"h.{k}.{name}.weight"] = normal(rows, cols, scale=scale)
            tensors[f"h.{k}.{name}.bias"] = normal(cols)
        for name in ("ln_1", "ln_2"):
            tensors[f"h.{k}.{name}.weight"] = normal(width, scale=0.1, mean=1.0)
            tensors[f"h.{k}.{name}.bias"] = normal(width)
    return {name: np.ascontiguousarray(t, dtype=np.float32) for name, t in tensors.items()}


def write_safetensors(tensors, file):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file + ".part", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            out.write(memoryview(tensor).cast("B"))
    os.rename(file + ".part", file)


# What glassgpt computes with is float32, whatever the file stores.
STORED = {"F32": np.float32, "F16": np.float16}


def read_model(directory):
    """config.json as a dict, and the tensors by name without the `transformer.` prefix."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    path = os.path.join(directory, "model.safetensors")
    with open(path, "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_bytes)
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in STORED:
            sys.exit(f"{path}: {name} is {entry['dtype']}; the comparison reads F32 and F16")
        begin, end = entry["data_offsets"]
        tensor = data[begin:end].view(STORED[entry["dtype"]]).reshape(entry["shape"])
        tensor = tensor.astype(np.float32, copy=False)
        tensors[name.removeprefix("transformer.")] = tensor
    return config, tensors


def make_random_model(directory, tokenizer_directory, seed=1):
    """A directory that `glassgpt` loads: random weights of GPT-2 124M's shape. Returns nothing; does
    nothing where the directory is there already."""
    weights = os.path.join(directory, "model.safetensors")
    if not os.path.exists(weights):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
            json.dump(GPT2_124M, file, indent=2)
        write_safetensors(random_tensors(GPT2_124M, seed), weights)
    for source, target in (("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt")):
        source = os.path.join(tokenizer_directory, source)
        target = os.path.join(directory, target)
        if os.path.exists(source) and not os.path.exists(target):
            shutil.copyfile(source, target)


if __name__ == "__main__":
    make_random_model(sys.argv[1], sys.argv[2])
