"""GPT-2 as an ONNX graph with the hidden states of all layers as outputs, in several forms.

A form is `NORM-ATTENTION-MLP`-wise the same model; what differs is which operators say it:
  plain      operators of the ONNX standard alone: what an exporter writes, for ONNX Runtime to fuse
  attention  com.microsoft Attention (projection and heads in one operator), SkipLayerNormalization,
             FastGelu with its bias: the form that ONNX Runtime's transformer optimizer aims at
  mha        one MatMul for q, k and v, then com.microsoft MultiHeadAttention
  gqa        one MatMul, then com.microsoft GroupQueryAttention, which is causal by definition
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FORMS = ("plain", "attention", "mha", "gqa")


class Graph:
    def __init__(self):
        self.nodes, self.initializers, self.names = [], {}, 0

    def constant(self, name, array):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def add(self, op, inputs, outputs=1, domain="", **attributes):
        names = outputs
        if isinstance(outputs, int):
            self.names += 1
            names = [f"{op}_{self.names}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names[0] if len(names) == 1 else names


class Gpt2:
    def __init__(self, config, tensors, form):
        self.g, self.config, self.tensors, self.form = Graph(), config, tensors, form
        self.heads = config["n_head"]
        self.width = config["n_embd"]
        self.epsilon = config.get("layer_norm_epsilon", 1e-5)
        self.fused = form != "plain"

    def tensor(self, name):
        return self.g.constant(name, self.tensors[name])

    def linear(self, x, name, bias=True):
        product = self.g.add("MatMul", [x, self.tensor(f"{name}.weight")])
        return self.g.add("Add", [product, self.tensor(f"{name}.bias")]) if bias else product

    def norm(self, x, name, output=None):
        return self.g.add(
            "LayerNormalization",
            [x, self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")],
            [output] if output else 1,
            axis=-1,
            epsilon=self.epsilon,
        )

    def add_and_norm(self, x, delta, delta_name, norm_name, total):
        """total = x + delta + bias; returns its layer norm."""
        bias = self.tensor(f"{delta_name}.bias")
        if not self.fused:
            delta = self.g.add("Add", [delta, bias])
            self.g.add("Add", [x, delta], [total])
            return self.norm(total, norm_name, "final" if norm_name == "ln_f" else None)
        normed = "final" if norm_name == "ln_f" else f"{total}_{norm_name}"
        weights = [self.tensor(f"{norm_name}.weight"), self.tensor(f"{norm_name}.bias")]
        self.g.add(
            "SkipLayerNormalization",
            [delta, x, *weights, bias],
            [normed, "", "", total],
            domain="com.microsoft",
            epsilon=self.epsilon,
        )
        return normed

    def split_heads(self, x, axes):
        shape = self.g.constant("heads_shape", np.array([0, 0, self.heads, -1], dtype=np.int64))
        return self.g.add("Transpose", [self.g.add("Reshape", [x, shape])], perm=axes)

    def plain_attention(self, qkv):
        q, k, v = self.g.add("Split", [qkv], 3, axis=-1, num_outputs=3)
        q, v = self.split_heads(q, [0, 2, 1, 3]), self.split_heads(v, [0, 2, 1, 3])
        scale = np.array(1.0 / np.sqrt(self.width // self.heads), dtype=np.float32)
        scores = self.g.add("MatMul", [q, self.split_heads(k, [0, 2, 3, 1])])
        scores = self.g.add("Mul", [scores, self.g.constant("score_scale", scale)])
        weights = self.g.add("Softmax", [self.g.add("Add", [scores, "mask"])], axis=-1)
        heads = self.g.add("Transpose", [self.g.add("MatMul", [weights, v])], perm=[0, 2, 1, 3])
        shape = self.g.constant("rows_shape", np.array([0, 0, self.width], dtype=np.int64))
        return self.g.add("Reshape", [heads, shape])

    def attention(self, x, k):
        name = f"h.{k}.attn.c_attn"
        microsoft = {"domain": "com.microsoft"}
        if self.form == "attention":
            inputs = [x, self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")]
            return self.g.add(
                "Attention", inputs, num_heads=self.heads, unidirectional=1, **microsoft
            )
        qkv = self.linear(x, name)
        if self.form == "plain":
            return self.plain_attention(qkv)
        if self.form == "gqa":
            inputs = [qkv, "", "", "", "", "last_key", "tokens"]
            return self.g.add(
                "GroupQueryAttention", inputs, 3, num_heads=self.heads, kv_num_heads=self.heads,
                **microsoft,
            )[0]
        q, key, v = self.g.add("Split", [qkv], 3, axis=-1, num_outputs=3)
        return self.g.add(
            "MultiHeadAttention", [q, key, v], num_heads=self.heads, unidirectional=1, **microsoft
        )

    def mlp_hidden(self, x, k):
        name = f"h.{k}.mlp.c_fc"
        if not self.fused:
            return self.g.add("Gelu", [self.linear(x, name)], approximate="tanh")
        product = self.linear(x, name, bias=False)
        return self.g.add(
            "FastGelu", [product, self.tensor(f"{name}.bias")], domain="com.microsoft"
        )

    def prepare_inputs(self):
        """What every block reads beside the rows: the causal mask, or GroupQueryAttention's counts."""
        g = self.g
        length = g.add("Gather", [g.add("Shape", ["ids"]), g.constant("one", np.int64(1))])
        zero, one = g.constant("zero", np.int64(0)), g.constant("one", np.int64(1))
        g.add("Range", [zero, length, one], ["positions"])
        if self.form == "plain":
            size = self.config["n_positions"]
            mask = np.triu(np.full((size, size), -1e9, dtype=np.float32), 1)
            ends = g.add("Concat", [g.add("Unsqueeze", [length, g.constant("axis", np.zeros(1, np.int64))])] * 2, axis=0)
            starts = g.constant("starts", np.zeros(2, dtype=np.int64))
            g.add("Slice", [g.constant("full_mask", mask), starts, ends], ["mask"])
        if self.form == "gqa":
            tokens = g.add("Cast", [length], ["tokens"], to=TensorProto.INT32)
            last = g.add("Sub", [tokens, g.constant("one32", np.int32(1))])
            g.add("Reshape", [last, g.constant("one_row", np.array([1], np.int64))], ["last_key"])

    def build(self):
        g, layers = self.g, self.config["n_layer"]
        self.prepare_inputs()
        token = g.add("Gather", [self.tensor("wte.weight"), "ids"])
        position = g.add("Gather", [self.tensor("wpe.weight"), "positions"])
        g.add("Add", [token, position], ["layer_0"])
        normed = self.norm("layer_0", "h.0.ln_1")
        for k in range(layers):
            projected = g.add("MatMul", [self.attention(normed, k), self.tensor(f"h.{k}.attn.c_proj.weight")])
            normed = self.add_and_norm(f"layer_{k}", projected, f"h.{k}.attn.c_proj", f"h.{k}.ln_2", f"mid_{k}")
            out = g.add("MatMul", [self.mlp_hidden(normed, k), self.tensor(f"h.{k}.mlp.c_proj.weight")])
            following = "ln_f" if k + 1 == layers else f"h.{k + 1}.ln_1"
            normed = self.add_and_norm(f"mid_{k}", out, f"h.{k}.mlp.c_proj", following, f"layer_{k + 1}")
        shape = [1, "T", self.width]
        names = [f"layer_{k}" for k in range(layers + 1)] + ["final"]
        graph = helper.make_graph(
            g.nodes,
            f"gpt2_{self.form}",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "T"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names],
            list(g.initializers.values()),
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def build(config, tensors, form):
    return Gpt2(config, tensors, form).build()
