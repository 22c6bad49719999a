#!/usr/bin/env python3
"""The model on paper of docs/distributed.md: how much of a step's time is left for computing, for machines, models and networks given here.

usage: bench/scaling_model.py TOKENS_PER_SECOND     (that one machine of the run trains weights/mini with, alone)
"""
import argparse

# Layers, width, vocabulary, context, learned positions.
MODELS = {"mini": (6, 256, 8192, 256, False), "GPT-2 124M": (12, 768, 50257, 1024, True)}
# Payload in bytes per second of a machine's card each way, and seconds that a message costs beside it.
NETWORKS = {"25 Gbit/s Ethernet": (2.8e9, 10e-6), "100 Gbit/s InfiniBand": (11e9, 2e-6)}
RANKS = (8, 64, 512)


def parameters(layers, width, vocabulary, context, learned):
    """Of the embeddings, and of one block."""
    return (vocabulary + context * learned) * width, 12 * width**2 + 13 * width


def flops_per_token(layers, width, vocabulary, context, learned):
    """Forward and backward: 6 for each weight of a product, and attention's two products over the half that the causal mask leaves."""
    return 6 * (layers * 12 * width**2 + vocabulary * width) + 6 * layers * width * context


def exchange(floats, ranks, network):
    """A bucket's sum: everyone sends 2 (N - 1) messages, and 2 (N - 1) / N of the bytes."""
    bandwidth, message = network
    return 2 * (ranks - 1) / ranks * 4 * floats / bandwidth + 2 * (ranks - 1) * message


def efficiency(model, tokens, flops, ranks, network, sharded):
    """`tokens` per rank and step, `flops` per second and rank."""
    layers = model[0]
    embeddings, block = parameters(*model)
    compute = tokens * flops_per_token(*model) / flops
    blocks = layers * exchange(block, ranks, network)
    if sharded:  # gradients travel beside the backward pass, parameters after AdamW
        hidden, after = blocks / 2, (blocks + exchange(embeddings, ranks, network)) / 2
        last = exchange(embeddings, ranks, network) / 2
    else:
        hidden, after, last = blocks, 0.0, exchange(embeddings, ranks, network)
    # The first block to be finished comes after 1 / layers of the backward pass, which is two thirds of the step.
    beside = 2 / 3 * compute * (layers - 1) / layers
    return compute / (compute + max(0.0, hidden - beside) + last + after)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("tokens_per_second", type=float)
    flops = options.parse_args().tokens_per_second * flops_per_token(*MODELS["mini"])
    print(f"{flops / 1e9:.0f} GFLOP/s per machine")
    print("| model, tokens of a machine's step | network | " + " | ".join(f"{n}" for n in RANKS) + " |")
    print("| --- | --- |" + " ---: |" * len(RANKS))
    for name, tokens in (("mini", 4096), ("mini", 32768), ("GPT-2 124M", 8192), ("GPT-2 124M", 65536)):
        for network, numbers in NETWORKS.items():
            cells = (
                " / ".join(f"{100 * efficiency(MODELS[name], tokens, flops, n, numbers, sharded):.0f}" for sharded in (False, True)) for n in RANKS
            )
            print(f"| {name}, {tokens:,} | {network} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
