"""Training steps in PyTorch, eager: see bench/train_bench.cpp for the arguments and requests.

usage: train_torch_worker.py MODEL_DIR BATCHES SEQUENCES TOKENS LEARNING_RATE WARMUP THREADS [float32|float64]
"""

import json
import sys
import time

import numpy as np
import torch
from torch.nn import functional

import model_files

CLIP = 1.0


class Gpt2:
    """With [in, out] weights as the files have them, and the output matrix tied to the embedding."""

    def __init__(self, directory, dtype):
        self.config, tensors = model_files.read_model(directory)
        self.tensors = {name: torch.from_numpy(np.array(t)).to(dtype) for name, t in tensors.items()}
        sinusoidal = self.config.get("position_encoding") == "sinusoidal"
        for name, tensor in self.tensors.items():
            tensor.requires_grad_(not (sinusoidal and name == "wpe.weight"))

    def linear(self, x, name):
        return torch.addmm(self.tensors[f"{name}.bias"], x, self.tensors[f"{name}.weight"])

    def norm(self, x, name):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, 1e-5)

    def attention(self, x, name, sequences, mask):
        heads, width = self.config["n_head"], x.shape[-1] // self.config["n_head"]
        tokens = len(x) // sequences
        qkv = self.linear(x, name).view(sequences, tokens, 3, heads, width).permute(2, 0, 3, 1, 4)
        q, k, v = (part.reshape(sequences * heads, tokens, width) for part in qkv)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=width**-0.5)
        out = torch.bmm(scores.softmax(-1), v).view(sequences, heads, tokens, width)
        return out.transpose(1, 2).reshape(len(x), -1)

    def loss(self, ids, targets):
        sequences, tokens = ids.shape
        table = self.tensors["wte.weight"]
        x = self.config.get("embedding_scale", 1) * functional.embedding(ids, table)
        x = (x + self.tensors["wpe.weight"][:tokens]).view(sequences * tokens, -1)
        mask = torch.full((tokens, tokens), float("-inf"), dtype=x.dtype).triu(1)
        for k in range(self.config["n_layer"]):
            heads = self.attention(self.norm(x, f"h.{k}.ln_1"), f"h.{k}.attn.c_attn", sequences, mask)
            x = x + self.linear(heads, f"h.{k}.attn.c_proj")
            hidden = self.linear(self.norm(x, f"h.{k}.ln_2"), f"h.{k}.mlp.c_fc")
            hidden = functional.gelu(hidden, approximate="tanh")
            x = x + self.linear(hidden, f"h.{k}.mlp.c_proj")
        return functional.cross_entropy(self.norm(x, "ln_f") @ table.T, targets.reshape(-1))


class Trainer:
    def __init__(self, directory, batches, sequences, tokens, learning_rate, warmup, dtype):
        self.model = Gpt2(directory, dtype)
        ids = np.fromfile(batches, dtype="<u4").reshape(-1, sequences, tokens + 1)
        self.batches = torch.from_numpy(ids.astype(np.int64))
        self.learning_rate, self.warmup, self.done = learning_rate, warmup, 0
        self.trained = [t for t in self.model.tensors.values() if t.requires_grad]
        groups = [
            {"params": [t for t in self.trained if t.dim() == 2], "weight_decay": 0.1},
            {"params": [t for t in self.trained if t.dim() == 1], "weight_decay": 0.0},
        ]
        # foreach=True was no faster on CPUs, where there are no launches to save.
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8)

    def step(self):
        batch = self.batches[self.done % len(self.batches)]
        self.done += 1
        rate = self.learning_rate * min(1.0, self.done / max(1, self.warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        begin = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model.loss(batch[:, :-1], batch[:, 1:])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimizer.step()
        ms = 1000.0 * (time.perf_counter() - begin)
        return loss.item(), norm.item(), ms


def main():
    directory, batches, *numbers, threads = sys.argv[1:8]
    sequences, tokens, learning_rate, warmup = (float(n) for n in numbers)
    dtype = {"float32": torch.float32, "float64": torch.float64}[sys.argv[8] if len(sys.argv) > 8 else "float32"]
    torch.set_num_threads(int(threads))
    trainer = Trainer(directory, batches, int(sequences), int(tokens), learning_rate, int(warmup), dtype)
    print(json.dumps({"ready": "PyTorch " + torch.__version__, "detail": "eager"}), flush=True)
    for request in sys.stdin:
        verb, steps = request.split()
        if verb != "train":
            sys.exit(f"train_torch_worker.py: there is no request '{verb}'")
        losses, norms, ms = zip(*(trainer.step() for _ in range(int(steps))))
        print(json.dumps({"losses": losses, "norms": norms, "ms": ms}), flush=True)


main()
