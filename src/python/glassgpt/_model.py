"""The model as Python sees it."""
from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, SupportsIndex, Tuple, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._results import LayerKey, Tokens, Trace, Vectors, _array_key, _html_table

Text = Union[str, bytes]
PathName = Union[str, "os.PathLike[str]"]
Names = Union[LayerKey, Iterable[LayerKey]]
# A mapping's type of keys is what it is: one of int is none of Union[int, str].
Centers = Union[Mapping[int, ArrayLike], Mapping[str, ArrayLike], Mapping[LayerKey, ArrayLike]]

_PACKAGE = Path(__file__).resolve().parent



def _was_forked() -> bool:
    """Whether this process was forked and has not called exec since: the kernel's flag PF_FORKNOEXEC."""
    try:
        return bool(int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[6]) & 0x40)
    except (OSError, ValueError, IndexError):
        return False


# OpenMP's threads do not survive a fork, and a child that waits for them waits for ever, also if it was another library's OpenMP that
# started them before this package was imported. One thread computes the same bytes.
_forked = _was_forked()


def _after_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_after_fork)


def _usable_threads(threads: SupportsIndex) -> int:
    number = _number(threads, "threads", 0)
    return 1 if _forked else number


def load(path: Optional[PathName] = None, *, tokenizer: Optional[PathName] = None, pattern: str = "gpt2") -> Model:
    """A model directory: config.json, model.safetensors, and tokenizer.json or vocab.json + merges.txt, as Hugging Face lays out GPT-2.

    Without a path: the environment variable GLASSGPT_MODEL, or the bundled model. `tokenizer` names another tokenizer: tokenizer.json, a directory,
    or a .tiktoken file with its `pattern` (gpt2, cl100k, o200k).

    float32 weights are not read but mapped: replace the file of a model that is loaded (as `mv` does), never write into it.
    """
    _check_name(pattern, "pattern")
    if path is None:
        path = os.environ.get("GLASSGPT_MODEL") or _PACKAGE / "weights" / "mini"
    # Another working directory must not make another model of a copy in another process.
    place = _absolute(path, "path")
    own = "" if tokenizer is None else _absolute(tokenizer, "tokenizer")
    return Model(_core.load(place, own, pattern), own or None, pattern)


class Model:
    """A GPT-2 with its tokenizer. Immutable: any number of threads may use one, and computing holds no lock of Python's. Made by load()."""

    def __init__(self, engine: _core.Engine, tokenizer: Optional[str], pattern: str):
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
        """The directory that it was loaded from."""
        return self._engine.directory

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
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
        _check_name(special, "special")
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
        center: Union[None, ArrayLike, Centers] = None,
        truncate: str = "error",
        stride: Optional[SupportsIndex] = None,
        batch_tokens: SupportsIndex = 512,
        special: str = "none",
        threads: SupportsIndex = 0,
        gemm: str = "auto",
        dtype: str = "f32",
    ) -> Vectors:
        """The vectors of texts in every layer that is asked for, as numpy arrays over the memory that they were computed into.

        layers    0 (token + position) to L (the last block's output), -1 to -(L + 1), "final" (after the last layer norm), "all"
        taps      inner stages of all blocks ("q", "mlp_out", ...) or of one ("q.3"), beside the layers (layers=() for taps alone)
        unit      "token": a row per token; "word" and "text": one per word (Unicode's boundaries; Chinese by dictionary) or text, by `pool`: "mean" (the default),
                  "last", "first", "max", "weighted-mean"; a text without tokens has no row, `rows` and `texts` tell which row is whose
        center    a row that is subtracted from each: one for all layers, or {layer: row}; `normalize` then scales rows to length 1
        truncate  texts longer than the context: "error", "left", "right" (what is cut off), "window" (windows that overlap, `stride` tokens apart,
                  by default half the context)
        special   what special tokens in a text become: "none" (ordinary text), "all" (their ids), "error"
        threads   0: GLASSGPT_THREADS, or the CPUs that are there (one in a forked process)
        dtype     what matrix products round their factors to: "f32", or "bf16"
        gemm      who multiplies matrices: "auto", "simd", "blas" (OpenBLAS), "reference"

        Neither threads nor `batch_tokens`, the tokens of a pass (memory grows with them), change a byte of the result, except with gemm="blas".
        """
        data = _all_bytes(texts)
        layer_list, tap_list = _names(layers, "layers"), _names(taps, "taps")
        if unit == "token" and pool is not None:
            raise ValueError(f"pool is {pool!r}, but a token has one vector: pool needs another unit")
        for name, value in (("unit", unit), ("truncate", truncate), ("special", special), ("gemm", gemm), ("dtype", dtype)):
            _check_name(value, name)
        if pool is not None:
            _check_name(pool, "pool")
        if not isinstance(normalize, (bool, np.bool_)):
            raise TypeError(f"normalize is {normalize!r}, expected True or False")
        step = 0 if stride is None else _number(stride, "stride", 1)
        if stride is not None and truncate != "window":
            raise ValueError(f"stride is {stride}, which needs truncate='window'")
        centers: List[List[float]] = []
        if center is not None:
            centers = self._centers(center, self._engine.kinds(layer_list, tap_list))
        arrays, columns = self._engine.embed(
            data,
            layers=layer_list,
            taps=tap_list,
            unit=unit,
            pool="mean" if pool is None else pool,
            normalize=bool(normalize),
            center=centers,
            truncate=truncate,
            stride=step,
            batch_tokens=_number(batch_tokens, "batch_tokens", 1),
            special=special,
            threads=_usable_threads(threads),
            gemm=gemm,
            dtype=dtype,
        )
        return Vectors(arrays, columns, data, self.config["n_layer"])

    def _centers(
        self, center: Union[ArrayLike, Centers], kinds: Sequence[Tuple[str, int]]
    ) -> List[List[float]]:
        if isinstance(center, Mapping):
            # Keys as Vectors takes them: 3, -1, "layer_03", "final", "q_03".
            rows = [(key, _array_key(key, self.config["n_layer"]), row) for key, row in center.items()]
            wrong = [key for key, canonical, _ in rows if canonical is None]
            if wrong:
                raise TypeError(f"center has a row for {wrong[0]!r}, expected layers and names of stages")
            by_key: Dict[str, ArrayLike] = {str(canonical): row for _, canonical, row in rows}
        else:
            by_key = {key: center for key, _ in kinds}
        missing = [key for key, _ in kinds if key not in by_key]
        if missing:
            raise ValueError(f"center has no row for {', '.join(missing)}; it has {', '.join(map(repr, center if isinstance(center, Mapping) else by_key))}")
        out = []
        for key, width in kinds:
            given = np.asarray(by_key[key])
            if given.dtype.kind not in "fiu":
                raise ValueError(f"the center of {key} has the type {given.dtype}, expected real numbers")
            with np.errstate(over="ignore"):
                row = given.astype(np.float32)
            if not np.isfinite(row).all():
                raise ValueError(f"the center of {key} has values that are not finite as float32")
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
        threads: SupportsIndex = 0,
        gemm: str = "auto",
        dtype: str = "f32",
    ) -> Trace:
        """Every named stage of the pass over one text, or those in `stages`; watching changes none of their bytes."""
        _check_name(gemm, "gemm")
        _check_name(dtype, "dtype")
        tokens = self.tokenize(text, special=special)
        if isinstance(stages, str):
            stages = [stages]
        if stages is not None:
            stages = list(stages)
            for stage in stages:
                _check_name(stage, "a stage")
        wanted = self.stages if stages is None else [name for name in stages if name != "tokens"]
        arrays = self._engine.trace(tokens.ids.tolist(), stages=wanted, threads=_usable_threads(threads), gemm=gemm, dtype=dtype)
        return Trace(tokens, arrays)

    def __reduce__(self) -> Tuple[Any, ...]:
        return _load_again, (str(self.path), self._tokenizer, self._pattern)

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: Dict[int, Any]) -> Model:
        return self

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


def _absolute(path: PathName, what: str) -> str:
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"{what} is {name!r}, expected a str or a pathlib.Path")
    if name == "" or "\0" in name:
        raise ValueError(f"{what} is {name!r}, which is no name of a file or directory")
    return os.path.abspath(name)


def _check_name(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}, expected a str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is {value!r}, which is no Unicode text") from None


def _number(value: SupportsIndex, what: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}, expected a whole number") from None
    if not least <= number < 2**31:
        raise ValueError(f"{what} is {number}, expected {least} to {2**31 - 1}")
    return number


def _text_bytes(text: object, what: str) -> bytes:
    if isinstance(text, str):
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{what} has half a surrogate pair at character {error.start}, which is no Unicode text; give bytes") from None
    if isinstance(text, bytes):
        return text
    raise TypeError(f"{what} is {type(text).__name__}, expected str or bytes")


def _all_bytes(texts: Union[Text, Iterable[Text]]) -> List[bytes]:
    if isinstance(texts, (str, bytes)):
        texts = [texts]
    if isinstance(texts, Mapping):
        raise TypeError("texts is a mapping: give its texts, as in list(texts.values())")
    if hasattr(texts, "columns") or getattr(texts, "ndim", 1) > 1:
        raise TypeError(f"texts is a {type(texts).__name__} of more than one dimension: give one column of it")
    if isinstance(texts, (bytearray, memoryview)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is {type(texts).__name__}, expected str, bytes, or several of them")
    return [_text_bytes(text, f"text {i}") for i, text in enumerate(texts)]


def _names(names: Names, what: str) -> str:
    if isinstance(names, (str, int, np.integer)):
        names = [names]
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise TypeError(f"{what} is {names!r}, expected numbers and names")
    out = []
    for name in names:
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise TypeError(f"{what} has {name!r}, expected numbers and names")
        if name == "":
            raise ValueError(f"{what} has an empty name")
        _check_name(str(name), f"a name in {what}")
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
