#!/usr/bin/python3
"""Writes training_{sinusoidal,learned}.safetensors: what PyTorch makes of a tiny GPT-2.

Each file holds a model's initial parameters, one batch per step, the gradient of every parameter for the first batch, and
the loss and gradient norm of ten steps of torch.optim.AdamW with clipping, warm-up and cosine decay.
Computed in float64, stored as float32. Needs Debian's python3-torch; the tests need only the files.

    /usr/bin/python3 tests/golden/make_training_golden.py
"""

import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F

STEPS, WARMUP, PEAK, FLOOR = 10, 3, 1e-2, 1e-3
BETAS, EPSILON, WEIGHT_DECAY, CLIP = (0.9, 0.95), 1e-8, 0.1, 0.5

MODELS = {
    "sinusoidal": dict(V=40, T=12, C=16, L=2, H=4, F=64, scale=4.0, learned=False, tied=True,
                       activation=lambda x: 0.5 * x * (1 + torch.tanh(
                           math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
                       lengths=[12, 5, 12]),
    "learned": dict(V=31, T=9, C=12, L=2, H=2, F=40, scale=1.0, learned=True, tied=False,
                    activation=F.gelu, lengths=[9, 9, 1, 7]),
}


def make_parameters(m):
    """In the order of the files that glassgpt writes."""
    shapes = {"wte.weight": (m["V"], m["C"]), "wpe.weight": (m["T"], m["C"])}
    for k in range(m["L"]):
        h = f"h.{k}."
        shapes |= {h + "ln_1.weight": (m["C"],), h + "ln_1.bias": (m["C"],),
                   h + "attn.c_attn.weight": (m["C"], 3 * m["C"]), h + "attn.c_attn.bias": (3 * m["C"],),
                   h + "attn.c_proj.weight": (m["C"], m["C"]), h + "attn.c_proj.bias": (m["C"],),
                   h + "ln_2.weight": (m["C"],), h + "ln_2.bias": (m["C"],),
                   h + "mlp.c_fc.weight": (m["C"], m["F"]), h + "mlp.c_fc.bias": (m["F"],),
                   h + "mlp.c_proj.weight": (m["F"], m["C"]), h + "mlp.c_proj.bias": (m["C"],)}
    shapes |= {"ln_f.weight": (m["C"],), "ln_f.bias": (m["C"],)}
    if not m["tied"]:
        shapes["lm_head.weight"] = (m["V"], m["C"])
    parameters = {}
    for name, shape in shapes.items():
        centre = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
        # Rounded to float32 first: both sides start from the same numbers.
        value = (centre + 0.2 * torch.randn(shape)).float().double()
        parameters[name] = value.requires_grad_(m["learned"] or name != "wpe.weight")
    if not m["learned"]:
        position = torch.arange(m["T"]).double()[:, None]
        rate = 10000.0 ** (-torch.arange(0, m["C"], 2).double() / m["C"])
        table = torch.empty(m["T"], m["C"], dtype=torch.float64)
        table[:, 0::2], table[:, 1::2] = torch.sin(position * rate), torch.cos(position * rate)
        parameters["wpe.weight"] = table
    return parameters


def logits_of(m, p, ids):
    """The logits of one sequence, [T, V]."""
    T, C, D = len(ids), m["C"], m["C"] // m["H"]

    def norm(x, name):
        return F.layer_norm(x, (C,), p[name + ".weight"], p[name + ".bias"], 1e-5)

    def linear(x, name):
        return x @ p[name + ".weight"] + p[name + ".bias"]

    x = m["scale"] * p["wte.weight"][ids] + p["wpe.weight"][:T]
    for k in range(m["L"]):
        h = f"h.{k}."
        qkv = linear(norm(x, h + "ln_1"), h + "attn.c_attn")
        q, key, v = (part.view(T, m["H"], D).transpose(0, 1) for part in qkv.split(C, dim=1))
        scores = q @ key.transpose(1, 2) / math.sqrt(D)
        scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
        heads = (scores.softmax(-1) @ v).transpose(0, 1).reshape(T, C)
        x = x + linear(heads, h + "attn.c_proj")
        x = x + linear(m["activation"](linear(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
    return norm(x, "ln_f") @ p["wte.weight" if m["tied"] else "lm_head.weight"].T


def learning_rate(step):
    if step < WARMUP:
        return PEAK * step / WARMUP
    return FLOOR + 0.5 * (PEAK - FLOOR) * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def train(m):
    p = make_parameters(m)
    out = {"initial." + name: value.detach().clone() for name, value in p.items()}
    rows = sum(m["lengths"])
    ids, targets = (torch.randint(m["V"], (STEPS, rows)) for _ in range(2))
    trained = [(name, value) for name, value in p.items() if value.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [v for _, v in trained if v.dim() == 2], "weight_decay": WEIGHT_DECAY},
         {"params": [v for _, v in trained if v.dim() == 1], "weight_decay": 0.0}],
        betas=BETAS, eps=EPSILON)
    history, norms = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = torch.cat([logits_of(m, p, part) for part in ids[step].split(m["lengths"])])
        loss = F.cross_entropy(logits, targets[step])
        loss.backward()
        if step == 0:
            out |= {"gradient." + name: value.grad.clone() for name, value in trained}
        history.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_([v for _, v in trained], CLIP).item())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step + 1)
        optimizer.step()
    out |= {"ids": ids, "targets": targets, "lengths": torch.tensor(m["lengths"]),
            "losses": torch.tensor(history), "norms": torch.tensor(norms)}
    return out


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().flatten().tolist()
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_default_dtype(torch.float64)
    for seed, (name, model) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        write_safetensors(pathlib.Path(__file__).with_name(f"training_{name}.safetensors"), train(model))


if __name__ == "__main__":
    main()
