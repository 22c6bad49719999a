"""transformers_states.py MODEL DIRECTORY: loads the model with Transformers and writes the hidden states of the ids in DIRECTORY/ids.txt to
DIRECTORY/states.safetensors. Called by transformers_test.cpp."""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import GPT2LMHeadModel

saved, directory = map(pathlib.Path, sys.argv[1:])
ids = torch.tensor([[int(word) for word in (directory / "ids.txt").read_text().split()]])
model, report = GPT2LMHeadModel.from_pretrained(saved, torch_dtype="auto", output_loading_info=True)
# Complete, with nothing over, and computed in float32 whatever the file stores.
assert not any(report.values()), report
assert model.dtype == torch.float32, model.dtype

last_block = []
model.transformer.h[-1].register_forward_hook(lambda module, inputs, output: last_block.append(output[0]))
with torch.no_grad():
    output = model.eval()(ids, output_hidden_states=True)
states = list(output.hidden_states)
named = {"final": states.pop(), "logits": output.logits}
states.append(last_block[0].reshape(states[0].shape))
named.update({str(layer): state for layer, state in enumerate(states)})
save_file({name: state[0].contiguous().clone() for name, state in named.items()}, directory / "states.safetensors")
