"""The model as Python sees it."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._results import LayerKey, Tokens, Trace, Vectors, _html_table

Text = Union[str, bytes]
PathName = Union[str, "os.PathLike[str]"]
Names = Union[LayerKey, Iterable[LayerKey]]

_PACKAGE = Path(__file__).resolve().parent

# OpenMP's threads do not survive a fork, and a child that waits for them waits for ever. One thread computes the same bytes.
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_after_fork)


def _usable_threads(threads: int) -> int:
    return 1 if _forked and threads >= 0 else threads


def load(path: Optional[PathName] = None, *, tokenizer: Optional[PathName] = None, pattern: str = "gpt2") -> Model:
    """A model directory: config.json, model.safetensors, and tokenizer.json or vocab.json + merges.txt, as Hugging Face lays out GPT-2.

    Without a path: the environment variable GLASSGPT_MODEL, or the bundled model. `tokenizer` names another tokenizer: tokenizer.json, a directory,
    or a .tiktoken file with its `pattern` (gpt2, cl100k, o200k).
    """
    if path is None:
        path = os.environ.get("GLASSGPT_MODEL") or _PACKAGE / "weights" / "mini"
    return Model(_core.load(os.fspath(path), "" if tokenizer is None else os.fspath(tokenizer), pattern), tokenizer, pattern)


class Model:
    """A GPT-2 with its tokenizer. Immutable: any number of threads may use one, and computing holds no lock of Python's. Made by load()."""

    def __init__(self, engine: _core.Engine, tokenizer: Optional[PathName], pattern: str):
        self._engine = engine
        self._tokenizer = tokenizer
        self._pattern = pattern

    @property
    def config(self) -> Dict[str, Any]:
        """The model's shape, by GPT2Config's names."""
        # The shortest digits that are the same float32: 1e-05, not 9.999999747378752e-06.
        return {k: float(str(np.float32(v))) if isinstance(v, float) else v for k, v in self._engine.config.items()}

    @property
    def path(self) -> Path:
        return self._engine.directory

    @property
    def parameters(self) -> int:
        return self._engine.parameters

    @property
    def stages(self) -> List[str]:
        """The names that trace() knows, in the order of the pass."""
        return self._engine.stages()

    @property
    def token_embedding(self) -> NDArray[np.float32]:
        """The embedding table [vocabulary, width]: the model's own memory, read-only."""
        return self._engine.token_embedding

    def tokenize(self, text: Text, *, special: str = "none") -> Tokens:
        """The text's tokens with their spans. `special`: what becomes of special tokens in it: none (ordinary text), all (their ids), error."""
        data = _text_bytes(text, "the text")
        return Tokens(data, *self._engine.tokenize(data, special))

    def detokenize(self, ids: ArrayLike) -> bytes:
        """The exact bytes; `.decode()` makes text of them."""
        return self._engine.detokenize(_id_list(ids))

    def embed(
        self,
        texts: Union[Text, Iterable[Text]],
        layers: Names = ("final",),
        *,
        taps: Names = (),
        unit: str = "token",
        pool: Optional[str] = None,
        normalize: bool = False,
        center: Union[None, ArrayLike, Mapping[LayerKey, ArrayLike]] = None,
        truncate: str = "error",
        stride: Optional[int] = None,
        batch_tokens: int = 512,
        special: str = "none",
        threads: int = 0,
        gemm: str = "auto",
        dtype: str = "f32",
    ) -> Vectors:
        """The vectors of texts in every layer that is asked for, as numpy arrays over the memory that they were computed into.

        layers    0 (token + position) to L (the last block's output), -1 to -(L + 1), "final" (after the last layer norm), "all"
        taps      inner stages of all blocks ("q", "mlp_out", ...) or of one ("q.3")
        unit      "token": a row per token; "word" and "text": one per word (Unicode's boundaries; Chinese by dictionary) or text, by `pool`: "mean" (the default),
                  "last", "first", "max", "weighted-mean"
        center    a row that is subtracted from each: one for all layers, or {layer: row}; `normalize` then scales rows to length 1
        truncate  texts longer than the context: "error", "left", "right" (what is cut off), "window" (windows that overlap, `stride` apart)
        threads   0: GLASSGPT_THREADS, or the CPUs that are there (one in a forked process); neither it nor `batch_tokens` changes a byte of the result
        """
        data = _all_bytes(texts)
        layer_list, tap_list = _names(layers, "layers"), _names(taps, "taps")
        if unit == "token" and pool is not None:
            raise ValueError(f"pool is {pool!r}, but a token has one vector: pool needs another unit")
        if stride is not None and (truncate != "window" or stride < 1):
            raise ValueError(f"stride is {stride}, expected a number from 1 on, and truncate='window'")
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens is {batch_tokens}, expected a number from 1 on")
        centers: List[List[float]] = []
        if center is not None:
            centers = self._centers(center, self._engine.kinds(layer_list, tap_list))
        arrays, columns = self._engine.embed(
            data,
            layers=layer_list,
            taps=tap_list,
            unit=unit,
            pool="mean" if pool is None else pool,
            normalize=normalize,
            center=centers,
            truncate=truncate,
            stride=0 if stride is None else stride,
            batch_tokens=batch_tokens,
            special=special,
            threads=_usable_threads(threads),
            gemm=gemm,
            dtype=dtype,
        )
        return Vectors(arrays, columns, data, self.config["n_layer"])

    def _centers(
        self, center: Union[ArrayLike, Mapping[LayerKey, ArrayLike]], kinds: Sequence[Tuple[str, int]]
    ) -> List[List[float]]:
        if isinstance(center, Mapping):
            # Keys as Vectors has them: 3, "final", "q_03".
            by_key = {str(key): row for key, row in center.items()}
        else:
            by_key = {key: center for key, _ in kinds}
        missing = [key for key, _ in kinds if key not in by_key]
        if missing:
            raise ValueError(f"center has no row for {', '.join(missing)}; it has {', '.join(by_key)}")
        out = []
        for key, width in kinds:
            row = np.asarray(by_key[key], dtype=np.float32)
            if row.shape not in ((width,), (1, width)):
                raise ValueError(f"the center of {key} has shape {list(row.shape)}, expected [{width}]")
            out.append(row.ravel().tolist())
        return out

    def trace(
        self,
        text: Text,
        stages: Optional[Iterable[str]] = None,
        *,
        special: str = "none",
        threads: int = 0,
        gemm: str = "auto",
        dtype: str = "f32",
    ) -> Trace:
        """Every named stage of the pass over one text, or those in `stages`; watching changes none of their bytes."""
        tokens = self.tokenize(text, special=special)
        if isinstance(stages, str):
            stages = [stages]
        wanted = self.stages if stages is None else [name for name in stages if name != "tokens"]
        arrays = self._engine.trace(tokens.ids.tolist(), stages=wanted, threads=_usable_threads(threads), gemm=gemm, dtype=dtype)
        return Trace(tokens, arrays)

    def __reduce__(self) -> Tuple[Any, ...]:
        return _load_again, (os.path.abspath(self.path), self._tokenizer and os.path.abspath(self._tokenizer), self._pattern)

    def __repr__(self) -> str:
        c = self.config
        return (
            f"<glassgpt.Model {self.path}: {c['n_layer']} layers, width {c['n_embd']}, {c['n_head']} heads, "
            f"vocabulary {c['vocab_size']}, context {c['n_positions']}>"
        )

    def _repr_html_(self) -> str:
        rows = [[key, value] for key, value in self.config.items()]
        return _html_table(f"{self.path}: {self.parameters} parameters", ["", "value"], rows)


def _load_again(path: str, tokenizer: Optional[str], pattern: str) -> Model:
    return load(path, tokenizer=tokenizer, pattern=pattern)


def _text_bytes(text: object, what: str) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"{what} is {type(text).__name__}, expected str or bytes")


def _all_bytes(texts: Union[Text, Iterable[Text]]) -> List[bytes]:
    if isinstance(texts, (str, bytes)):
        texts = [texts]
    if isinstance(texts, Mapping):
        raise TypeError("texts is a mapping: give its texts, as in list(texts.values())")
    return [_text_bytes(text, f"text {i}") for i, text in enumerate(texts)]


def _names(names: Names, what: str) -> str:
    if isinstance(names, (str, int, np.integer)):
        names = [names]
    out = []
    for name in names:
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise TypeError(f"{what} has {name!r}, expected numbers and names")
        if name == "":
            raise ValueError(f"{what} has an empty name")
        out.append(str(name))
    return ",".join(out)


def _id_list(ids: ArrayLike) -> List[int]:
    array = np.asarray(ids)
    if array.size == 0:
        return []
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"ids have shape {list(array.shape)} and type {array.dtype}, expected a list of whole numbers")
    if array.min() < 0 or array.max() >= 2**32:
        raise ValueError(f"ids go from {array.min()} to {array.max()}, expected 0 to {2**32 - 1}")
    out: List[int] = array.tolist()
    return out
