"""A model directory and a GGUF file beside each other, by the genuine `gguf` package alone.

usage: gguf_peer.py check DIR FILE.gguf   fails unless the file holds the directory's tensors and tokens
       gguf_peer.py write DIR FILE.gguf   writes the file as llama.cpp's converter lays it out
"""

import json
import os
import sys

import gguf
import numpy as np

BLOCK_NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
OUTER_NAMES = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "lm_head": "output"}


def read_tensors(directory):
    with open(os.path.join(directory, "model.safetensors"), "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], dtype=np.float32).reshape(entry["shape"])
        tensors[name.removeprefix("transformer.")] = values
    return tensors


def as_llama_cpp_has_them(tensors):
    renamed = {}
    for name, values in tensors.items():
        part, kind = name.rsplit(".", 1)
        if not part.startswith("h."):
            renamed[f"{OUTER_NAMES[part]}.{kind}"] = values
            continue
        _, layer, part = part.split(".", 2)
        product = kind == "weight" and values.ndim == 2
        renamed[f"blk.{layer}.{BLOCK_NAMES[part]}.{kind}"] = values.T if product else values
    return renamed


def read_tokenizer(directory, rows):
    """Names by id, their types, and the merges, from tokenizer.json."""
    with open(os.path.join(directory, "tokenizer.json"), encoding="utf-8") as file:
        root = json.load(file)
    names = [f"[PAD{i}]" for i in range(rows)]
    types = [gguf.TokenType.UNUSED] * rows
    for name, id in root["model"]["vocab"].items():
        names[id], types[id] = name, gguf.TokenType.NORMAL
    for added in root["added_tokens"]:
        names[added["id"]] = added["content"]
        special = added["special"]
        types[added["id"]] = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
    return names, [int(kind) for kind in types], root["model"]["merges"]


def check(directory, file, config, tensors):
    reader = gguf.GGUFReader(file)
    found = {tensor.name: tensor for tensor in reader.tensors}
    expected = as_llama_cpp_has_them(tensors)
    assert set(found) == set(expected), set(found) ^ set(expected)
    for name, values in expected.items():
        tensor = found[name]
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32, name
        # ggml counts the fastest dimension first.
        assert [int(extent) for extent in tensor.shape] == list(reversed(values.shape)), name
        data = np.array(tensor.data).view(np.uint32).reshape(values.shape)
        assert np.array_equal(data, np.ascontiguousarray(values).view(np.uint32)), name

    def value(key):
        return reader.get_field(key).contents()

    assert value(gguf.Keys.General.ARCHITECTURE) == "gpt2"
    for key, expected_value in (
        (gguf.Keys.LLM.CONTEXT_LENGTH, config["n_positions"]),
        (gguf.Keys.LLM.EMBEDDING_LENGTH, config["n_embd"]),
        (gguf.Keys.LLM.BLOCK_COUNT, config["n_layer"]),
        (gguf.Keys.Attention.HEAD_COUNT, config["n_head"]),
        (gguf.Keys.LLM.FEED_FORWARD_LENGTH, config["n_inner"] or 4 * config["n_embd"]),
    ):
        assert value(key.format(arch="gpt2")) == expected_value, key
    names, types, merges = read_tokenizer(directory, config["vocab_size"])
    assert value(gguf.Keys.Tokenizer.MODEL) == "gpt2"
    assert value(gguf.Keys.Tokenizer.PRE) == "gpt-2"
    assert value(gguf.Keys.Tokenizer.LIST) == names
    assert value(gguf.Keys.Tokenizer.TOKEN_TYPE) == types
    assert value(gguf.Keys.Tokenizer.MERGES) == merges
    end = names.index("<|endoftext|>")
    assert value(gguf.Keys.Tokenizer.EOS_ID) == end
    print(f"{len(found)} tensors and {len(names)} tokens are the same")


def write(directory, file, config, tensors):
    writer = gguf.GGUFWriter(file, "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(config["n_inner"] or 4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    names, types, merges = read_tokenizer(directory, config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    for name, values in as_llama_cpp_has_them(tensors).items():
        writer.add_tensor(name, np.array(values, order="C"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    verb, directory, file = sys.argv[1:]
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as text:
        config = json.load(text)
    {"check": check, "write": write}[verb](directory, file, config, read_tensors(directory))


main()
