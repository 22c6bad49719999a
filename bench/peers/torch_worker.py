"""PyTorch, float32, eager: what its operators give without a compiler.

usage: torch_worker.py MODEL_DIR IDS_FILE THREADS
"""

import sys

import numpy as np
import torch
from torch.nn import functional

import model_files
import worker


class Gpt2:
    def __init__(self, directory):
        self.config, tensors = model_files.read_model(directory)
        self.tensors = {name: torch.from_numpy(np.array(t)) for name, t in tensors.items()}

    def linear(self, x, name):
        return torch.addmm(self.tensors[f"{name}.bias"], x, self.tensors[f"{name}.weight"])

    def norm(self, x, name):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        epsilon = self.config.get("layer_norm_epsilon", 1e-5)
        return functional.layer_norm(x, weight.shape, weight, bias, epsilon)

    def attention(self, x, name, mask):
        rows, heads = len(x), self.config["n_head"]
        q, k, v = self.linear(x, name).view(rows, 3, heads, -1).permute(1, 2, 0, 3)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
        return torch.bmm(scores.softmax(-1), v).transpose(0, 1).reshape(rows, -1)

    def layers(self, ids):
        x = self.tensors["wte.weight"][ids] + self.tensors["wpe.weight"][: len(ids)]
        mask = torch.full((len(ids), len(ids)), float("-inf")).triu(1)
        layers = [x]
        for k in range(self.config["n_layer"]):
            heads = self.attention(self.norm(x, f"h.{k}.ln_1"), f"h.{k}.attn.c_attn", mask)
            x = x + self.linear(heads, f"h.{k}.attn.c_proj")
            hidden = self.linear(self.norm(x, f"h.{k}.ln_2"), f"h.{k}.mlp.c_fc")
            hidden = functional.gelu(hidden, approximate="tanh")
            x = x + self.linear(hidden, f"h.{k}.mlp.c_proj")
            layers.append(x)
        return [*layers, self.norm(x, "ln_f")]


def main():
    directory, ids_file, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    model, ids = Gpt2(directory), torch.tensor(worker.read_ids(ids_file))
    worker.serve(
        "PyTorch " + torch.__version__,
        "eager",
        lambda tokens: lambda: model.layers(ids[:tokens]),
        lambda tokens: torch.stack(model.layers(ids[:tokens])).numpy(),
    )


main()
