"""The model as a GGUF file for llama.cpp, with float32 or bfloat16 matrices.

llama.cpp always multiplies the rows with the output matrix, which nobody here asks for. So the file has
only the rows of the embedding table that the ids use, renumbered: the product is then too small to count.

usage: gguf_file.py MODEL_DIR IDS_FILE f32|bf16 OUTPUT.gguf OUTPUT_IDS
"""

import os
import sys

import gguf
import numpy as np

import model_files
import worker

BLOCK_NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def add_matrix(writer, name, rows, matrix_type):
    if matrix_type == "f32":
        writer.add_tensor(name, np.array(rows, order="C"))
        return
    kind = gguf.GGMLQuantizationType.BF16
    writer.add_tensor(name, gguf.quants.quantize(np.array(rows, order="C"), kind), raw_dtype=kind)


def add_tensors(writer, config, tensors, used, matrix_type):
    add_matrix(writer, "token_embd.weight", tensors["wte.weight"][used], matrix_type)
    writer.add_tensor("position_embd.weight", np.array(tensors["wpe.weight"]))
    for part in ("weight", "bias"):
        writer.add_tensor(f"output_norm.{part}", np.array(tensors[f"ln_f.{part}"]))
    for k in range(config["n_layer"]):
        for ours, theirs in BLOCK_NAMES.items():
            weight, bias = tensors[f"h.{k}.{ours}.weight"], tensors[f"h.{k}.{ours}.bias"]
            if weight.ndim == 2:
                add_matrix(writer, f"blk.{k}.{theirs}.weight", weight.T, matrix_type)
            else:
                writer.add_tensor(f"blk.{k}.{theirs}.weight", np.array(weight))
            writer.add_tensor(f"blk.{k}.{theirs}.bias", np.array(bias))


def main():
    directory, ids_file, matrix_type, output, output_ids = sys.argv[1:]
    config, tensors = model_files.read_model(directory)
    used, renumbered = np.unique(worker.read_ids(ids_file), return_inverse=True)

    writer = gguf.GGUFWriter(output + ".part", "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config.get("layer_norm_epsilon", 1e-5))
    writer.add_vocab_size(len(used))
    writer.add_tokenizer_model("no_vocab")
    add_tensors(writer, config, tensors, used, matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(output + ".part", output)
    with open(output_ids, "w", encoding="ascii") as file:
        print(*renumbered, file=file)


main()
