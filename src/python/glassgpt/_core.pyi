from os import PathLike
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

__version__: str

def default_threads() -> int:
    """Threads used where the caller says 0: GLASSGPT_THREADS if set, else the CPUs that this process may use."""

def isa() -> str:
    """The instruction set that computes: GLASSGPT_ISA if set, else the best that this CPU has."""

def load(directory: Union[str, PathLike[str]], tokenizer: Union[str, PathLike[str]], pattern: str) -> Engine: ...

class Engine:
    @property
    def config(self) -> Dict[str, Any]: ...
    @property
    def directory(self) -> Path: ...
    @property
    def parameters(self) -> int: ...
    @property
    def token_embedding(self) -> NDArray[np.float32]: ...
    def tokenize(
        self, text: bytes, special: str
    ) -> Tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]: ...
    def detokenize(self, ids: Sequence[int]) -> bytes: ...
    def kinds(self, layers: str, taps: str) -> List[Tuple[str, int]]: ...
    def embed(
        self,
        texts: Sequence[bytes],
        *,
        layers: str,
        taps: str,
        unit: str,
        pool: str,
        normalize: bool,
        center: Sequence[Sequence[float]],
        truncate: str,
        stride: int,
        batch_tokens: int,
        special: str,
        threads: int,
        gemm: str,
        dtype: str,
    ) -> Tuple[List[Tuple[str, NDArray[np.float32]]], Dict[str, NDArray[Any]]]: ...
    def stages(self) -> List[str]: ...
    def trace(
        self, ids: Sequence[int], *, stages: Sequence[str], threads: int, gemm: str, dtype: str
    ) -> Dict[str, NDArray[np.float32]]: ...
