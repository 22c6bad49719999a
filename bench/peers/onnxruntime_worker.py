"""ONNX Runtime, float32: of the graph's forms the fastest at each T that gives the right numbers.

usage: onnxruntime_worker.py MODEL_DIR IDS_FILE THREADS
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime as ort

import model_files
import onnx_graph
import worker


class Form:
    def __init__(self, name, model, config, threads):
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.name, self.config = name, config
        self.session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def bind(self, ids):
        """The pass as a function that returns the array [L + 2, T, C] that it fills."""
        ids = np.array([ids], dtype=np.int64)
        out = np.empty((self.config["n_layer"] + 2, *ids.shape, self.config["n_embd"]), np.float32)
        binding = self.session.io_binding()
        binding.bind_input("ids", "cpu", 0, np.int64, ids.shape, ids.ctypes.data)
        for output, place in zip(self.session.get_outputs(), out):
            binding.bind_output(output.name, "cpu", 0, np.float32, place.shape, place.ctypes.data)

        # The binding knows addresses alone: the closure keeps `ids` and `out` alive.
        def run(_ids=ids):
            self.session.run_with_iobinding(binding)
            return out[:, 0]

        return run


def load_forms(config, tensors, threads):
    wanted = os.environ.get("ONNX_FORMS", ",".join(onnx_graph.FORMS)).split(",")
    forms = []
    for name in wanted:
        try:
            forms.append(Form(name, onnx_graph.build(config, tensors, name), config, threads))
        except Exception as error:  # a form that this version of ONNX Runtime cannot load
            print(f"onnxruntime: form {name} is left out: {error}", file=sys.stderr)
    return forms


def main():
    directory, ids_file, threads = sys.argv[1:]
    config, tensors = model_files.read_model(directory)
    ids = worker.read_ids(ids_file)
    forms = load_forms(config, tensors, int(threads))

    def layers_of(form, tokens):
        return form.bind(ids[:tokens])().copy()

    # Numerics: all forms must agree with the first; the parent compares that one with the others.
    first = layers_of(forms[0], 64)
    for form in list(forms[1:]):
        error = np.abs(layers_of(form, 64) - first).max() / np.abs(first).max()
        print(f"onnxruntime: {form.name} against {forms[0].name}: {error:.1e}", file=sys.stderr)
        if not error < 1e-5:
            forms.remove(form)

    fastest = {}

    def choose(tokens):
        if tokens not in fastest:
            medians = {}
            for form in forms:
                run = form.bind(ids[:tokens])
                medians[form.name] = float(np.median(worker.timed(run, 5 if tokens < 512 else 1)))
            print(f"onnxruntime: T={tokens}: {medians}", file=sys.stderr)
            fastest[tokens] = min(forms, key=lambda form: medians[form.name])
        return fastest[tokens]

    worker.serve(
        "onnxruntime " + ort.__version__,
        "float32",
        lambda tokens: choose(tokens).bind(ids[:tokens]),
        lambda tokens: layers_of(choose(tokens), tokens),
    )


main()
