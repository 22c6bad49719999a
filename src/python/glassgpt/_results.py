"""What Model's methods return: numpy arrays by name, tables of columns, and how notebooks show them."""
from __future__ import annotations

import html
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

_SHOWN_ROWS = 10

LayerKey = Union[int, str]


def _html_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><thead>{line('th', header)}</thead><tbody style='white-space: pre'>{body}</tbody></table>"


def _readable(token: bytes) -> str:
    return token.decode("utf-8", "replace")


class Table(Dict[str, NDArray[Any]]):
    """Columns of equal length by their names: pandas.DataFrame(table) takes it as it is."""

    @property
    def n_rows(self) -> int:
        return next((len(column) for column in self.values()), 0)

    def to_pandas(self) -> pandas.DataFrame:
        import pandas

        return pandas.DataFrame(dict(self))

    def __repr__(self) -> str:
        return f"<glassgpt.Table of {self.n_rows} rows: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        n = self.n_rows
        rows: List[Sequence[object]] = [[r, *(column[r] for column in self.values())] for r in range(min(n, _SHOWN_ROWS))]
        if n > _SHOWN_ROWS:
            rows.append(["…"] * (len(self) + 1))
        return _html_table(f"{n} rows", ["", *self], rows)


class Tokens:
    """A text's tokens: `ids`, the tokens as text, and half-open ranges in bytes and in characters, [tokens, 2]."""

    def __init__(self, text: bytes, ids: NDArray[np.uint32], spans: NDArray[np.int64], chars: NDArray[np.int64]):
        self._text = text
        self.ids = ids
        self.bytes = spans
        self.chars = chars

    @cached_property
    def tokens(self) -> List[str]:
        """Each token as text, with U+FFFD where its bytes are not whole characters."""
        return [_readable(self._text[begin:end]) for begin, end in self.bytes.tolist()]

    @property
    def rows(self) -> Table:
        """A row per token."""
        return Table(
            token=_strings(self.tokens),
            id=self.ids,
            byte_begin=self.bytes[:, 0],
            byte_end=self.bytes[:, 1],
            char_begin=self.chars[:, 0],
            char_end=self.chars[:, 1],
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __repr__(self) -> str:
        shown = " ".join(repr(token) for token in self.tokens[:_SHOWN_ROWS])
        return f"<glassgpt.Tokens: {len(self)}: {shown}{' …' if len(self) > _SHOWN_ROWS else ''}>"

    def _repr_html_(self) -> str:
        return self.rows._repr_html_()


class Vectors(Mapping[LayerKey, NDArray[np.float32]]):
    """Vectors by layer: `v[0]`, `v[-1]`, `v["final"]`, and inner stages by tap and block: `v["q_03"]`.

    Each is an array [rows, width]. `rows` says for each row whose it is, `texts` for each text which rows are its own.
    """

    def __init__(
        self,
        arrays: Sequence[Tuple[str, NDArray[np.float32]]],
        columns: Dict[str, NDArray[Any]],
        texts: Sequence[bytes],
        n_layer: int,
    ):
        self._arrays: Dict[LayerKey, NDArray[np.float32]] = {
            int(key) if key.isdecimal() else key: array for key, array in arrays
        }
        self._columns = columns
        self._texts = texts
        self._n_layer = n_layer

    def __getitem__(self, key: LayerKey) -> NDArray[np.float32]:
        name = _array_key(key, self._n_layer)
        found = None if name is None else self._arrays.get(name)
        if found is None:
            raise KeyError(f"{key!r}: there are {', '.join(repr(k) for k in self._arrays)}")
        return found

    # Mapping's would compare arrays, which have no truth value.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Iterator[LayerKey]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @cached_property
    def rows(self) -> Table:
        """A row of the table per row of the arrays: the text's number, the row's text, its token's id (or how many tokens it has), its span."""
        columns = self._columns
        spans = zip(columns["text"].tolist(), columns["byte_begin"].tolist(), columns["byte_end"].tolist())
        table = Table(
            text=columns["text"], token=_strings([_readable(self._texts[text][begin:end]) for text, begin, end in spans])
        )
        count = "id" if "id" in columns else "tokens"
        for name in (count, "byte_begin", "byte_end", "char_begin", "char_end"):
            table[name] = columns[name]
        return table

    @cached_property
    def texts(self) -> Table:
        """A row per text: its tokens before any were cut off, whether some were, and its rows begin .. end of the arrays."""
        offsets = self._columns["offsets"]
        return Table(
            tokens=self._columns["text_tokens"],
            truncated=self._columns["truncated"].view(np.bool_),
            row_begin=offsets[:-1],
            row_end=offsets[1:],
        )

    def of(self, text: int) -> Dict[LayerKey, NDArray[np.float32]]:
        """The rows of one text in each array, as views."""
        begin, end = self.texts["row_begin"][text], self.texts["row_end"][text]
        return {key: array[begin:end] for key, array in self._arrays.items()}

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key!r}: {list(array.shape)}" for key, array in self._arrays.items())
        return f"<glassgpt.Vectors of {self.texts.n_rows} text{'' if self.texts.n_rows == 1 else 's'}: {shapes}>"

    def _repr_html_(self) -> str:
        rows = [[key, array.shape[0], array.shape[1], array.dtype] for key, array in self._arrays.items()]
        arrays = _html_table(f"vectors of {self.texts.n_rows} texts", ["layer", "rows", "width", "type"], rows)
        return arrays + self.rows._repr_html_()


# The stages, in the order of the pass, as the notebook explains them.
_STAGES = {
    "tokens": "the ids",
    "token_embedding": "rows of the embedding table, times embedding_scale",
    "position": "the position vectors",
    "embedding": "their sum: layer 0",
    "ln_1": "layer norm before attention",
    "q": "queries, heads side by side",
    "k": "keys",
    "v": "values",
    "scores": "q kᵀ / √D per head, what lies ahead is -inf",
    "attention": "softmax of the scores: who looks where",
    "attention_heads": "the heads' weighted sums of values",
    "attention_out": "what attention adds to the residual stream",
    "residual_mid": "the residual stream after attention",
    "ln_2": "layer norm before the MLP",
    "mlp_hidden": "after the activation function",
    "mlp_out": "what the MLP adds to the residual stream",
    "residual": "the block's output: layer k + 1 of block k",
    "final": "after the last layer norm",
    "logits": "a score for each possible next token",
}
_IN_BLOCKS = list(_STAGES)[list(_STAGES).index("ln_1") : list(_STAGES).index("residual") + 1]


class Trace(Mapping[str, NDArray[Any]]):
    """Every stage of one pass over one text, by name, in the order of the pass.

    What is in a block has the blocks in front, [L, tokens, width], attention and scores [L, heads, tokens, tokens]; `t["q.3"]` (or `t["q_03"]`)
    is block 3 of `t["q"]`.
    """

    def __init__(self, tokens: Tokens, arrays: Dict[str, NDArray[np.float32]]):
        self.tokens = tokens
        self._arrays: Dict[str, NDArray[Any]] = {"tokens": tokens.ids, **arrays}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name in self._arrays:
            return self._arrays[name]
        block = re.fullmatch(r"(\w+?)(?:\.|_0?)(\d+)", name) if isinstance(name, str) else None
        if block is not None and block[1] in _IN_BLOCKS and block[1] in self._arrays:
            blocks: NDArray[Any] = self._arrays[block[1]]
            if int(block[2]) < len(blocks):
                part: NDArray[Any] = blocks[int(block[2])]
                return part
            raise KeyError(f"{name!r}: blocks are numbered 0 to {len(blocks) - 1}")
        raise KeyError(f"{name!r}: there are {', '.join(self._arrays)}")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"<glassgpt.Trace of {len(self.tokens)} tokens: {', '.join(self._arrays)}>"

    def _repr_html_(self) -> str:
        rows = [[name, " × ".join(map(str, array.shape)), _STAGES[name]] for name, array in self._arrays.items()]
        return _html_table(f"{len(self.tokens)} tokens through the model", ["stage", "shape", "what it is"], rows)


def _array_key(key: object, n_layer: int) -> Optional[LayerKey]:
    """What Vectors calls the array: 3 for 3, "3", "layer_03" and, of a model with 4 layers, -2; "q_03" for "q.3"; other names as they are; None
    for what names nothing."""
    if isinstance(key, str):
        block = re.fullmatch(r"(\w+)\.(\d+)", key)
        if block is not None:
            return f"{block[1]}_{int(block[2]):02}"
        layer = re.fullmatch(r"layer_(\d+)|(-?\d+)", key)
        if layer is None:
            return key
        key = int(layer[1] or layer[2])
    if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
        return None
    number = int(key)
    return number + n_layer + 1 if number < 0 else number


def _strings(values: Sequence[str]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
