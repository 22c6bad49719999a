#!/usr/bin/env python3
"""Writes tests/golden/gpt2_*: tiny GPT-2 directories as Transformers saves them, and what it computes from them.

Needs Debian's python3-torch and PyPI's transformers, for example:
  /usr/bin/python3 -m venv --system-site-packages venv
  venv/bin/pip install transformers==4.40.2 safetensors
  venv/bin/python tests/golden/make_gpt2_golden.py
Made with torch 1.13.0a0, transformers 4.40.2. The tests read the files that are committed.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

HERE = pathlib.Path(__file__).resolve().parent

# name -> (class to save as, storage type, shard size, configuration)
MODELS = {
    "gpt2_tied": (GPT2LMHeadModel, torch.float32, "1GB",
                  dict(vocab_size=61, n_positions=16, n_embd=16, n_layer=2, n_head=2)),
    # Head width 5, an MLP that is not four times as wide, GELU in its erf form, an output matrix of its own, shards.
    "gpt2_untied_sharded": (GPT2LMHeadModel, torch.float16, "4KB",
                            dict(vocab_size=53, n_positions=12, n_embd=15, n_layer=2, n_head=3, n_inner=37,
                                 activation_function="gelu", tie_word_embeddings=False)),
    # Saved without the language-model head: names have no "transformer." prefix.
    "gpt2_headless": (GPT2Model, torch.bfloat16, "1GB",
                      dict(vocab_size=40, n_positions=12, n_embd=14, n_layer=3, n_head=2, layer_norm_epsilon=1e-3)),
    # As Stanford's Mistral models are: scores divided by the block's number too, another name for the tanh form; head width 7, shards.
    "gpt2_scaled_by_layer": (GPT2LMHeadModel, torch.bfloat16, "16KB",
                             dict(vocab_size=45, n_positions=14, n_embd=21, n_layer=3, n_head=3, activation_function="gelu_fast",
                                  scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True)),
    # No scale at all, one head, shards of float32 without prefix, an output matrix that the file does not have.
    "gpt2_unscaled_headless": (GPT2Model, torch.float32, "4KB",
                               dict(vocab_size=30, n_positions=10, n_embd=9, n_layer=2, n_head=1, n_inner=20,
                                    activation_function="gelu_python", scale_attn_weights=False, tie_word_embeddings=False)),
}


def randomize(model):
    """Values large enough that no part of the model could be left out unnoticed."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = parameter.shape[0] ** -0.5 if parameter.dim() == 2 and ".h." in "." + name else 0.5
            parameter.normal_(0.0, scale)
            if ".ln_" in "." + name and name.endswith("weight"):
                parameter.add_(1.0)


def main():
    torch.manual_seed(20250101)
    for name, (model_class, storage, shard_size, config) in MODELS.items():
        directory = HERE / name
        model = model_class(GPT2Config(**config, bos_token_id=0, eos_token_id=0))
        randomize(model)
        model.to(storage).save_pretrained(directory, max_shard_size=shard_size, safe_serialization=True)
        (directory / "generation_config.json").unlink(missing_ok=True)

        # What the directory means to its users: loaded afresh, computed in float32.
        model = model_class.from_pretrained(directory, torch_dtype=torch.float32).eval()
        body = model.transformer if model_class is GPT2LMHeadModel else model
        last_block = []
        body.h[-1].register_forward_hook(lambda module, inputs, output: last_block.append(output[0]))
        sequences = [torch.randint(config["vocab_size"], (1, length)) for length in (config["n_positions"], 5)]
        expected = {}
        for i, ids in enumerate(sequences):
            with torch.no_grad():
                output = model(ids, output_hidden_states=True)
            states = list(output.hidden_states)
            expected[f"{i}.final"] = states.pop()[0]
            states.append(last_block.pop())
            for layer, state in enumerate(states):
                expected[f"{i}.{layer}"] = state[0] if state.dim() == 3 else state
            if model_class is GPT2LMHeadModel:
                expected[f"{i}.logits"] = output.logits[0]
        save_file({k: v.contiguous().clone() for k, v in expected.items()}, directory / "expected.safetensors")
        (directory / "ids.json").write_text(json.dumps([ids[0].tolist() for ids in sequences]) + "\n")


if __name__ == "__main__":
    main()
