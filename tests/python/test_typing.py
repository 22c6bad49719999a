"""The package is typed, and its stub is about the module that is there."""
import ast
import functools
import inspect
import os
import pathlib
import subprocess
import sys

import pytest

import glassgpt
from glassgpt import _core

PACKAGE = pathlib.Path(glassgpt.__file__).resolve().parent

USE = """
from typing import Dict, List
import numpy as np
from numpy.typing import NDArray
import glassgpt

model: glassgpt.Model = glassgpt.load("weights/mini")
vectors: glassgpt.Vectors = model.embed(["a", b"b"], layers=[0, -1, "final"], taps="q", stride=None)
array: NDArray[np.float32] = vectors["final"]
rows: glassgpt.Table = vectors.rows
ids: List[int] = model.tokenize("a").ids.tolist()
text: str = model.detokenize(ids).decode()
stages: List[str] = list(model.trace("a"))
means: Dict[str, NDArray[np.float32]] = {"final": array.mean(axis=0)}
by_number: Dict[int, NDArray[np.float32]] = {6: array.mean(axis=0)}
model.embed("a", center=means, truncate="window", stride=np.int64(5))
model.embed("a", layers=6, center=by_number)
wrong: int = model.embed("a", layers=2.5)["final"]
"""


def names(module):
    return {name for name in vars(module) if not name.startswith("_")}


def test_the_stub_has_the_names_of_the_module():
    assert (PACKAGE / "py.typed").exists()
    body = ast.parse((PACKAGE / "_core.pyi").read_text()).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    (engine,) = [node for node in body if isinstance(node, ast.ClassDef)]
    assert functions | {engine.name} == names(_core)
    assert {node.name for node in engine.body} == names(_core.Engine)
    # pybind11 keeps parameters in the docstring's first line.
    for node in [node for node in engine.body if not node.decorator_list]:
        line = getattr(_core.Engine, node.name).__doc__.splitlines()[0]
        parameters = [argument.arg for argument in node.args.args[1:] + node.args.kwonlyargs]
        assert line.startswith(node.name) and all(f"{name}: " in line for name in parameters)
        assert line.count(": ") == 1 + len(parameters), line


def test_everything_public_is_annotated():
    classes = (glassgpt.Model, glassgpt.Vectors, glassgpt.Table, glassgpt.Tokens, glassgpt.Trace)
    for public in (glassgpt.load, *(member for kind in classes for member in vars(kind).values())):
        if isinstance(public, property):
            public = public.fget
        elif isinstance(public, functools.cached_property):
            public = public.func
        if inspect.isfunction(public) and not public.__name__.startswith("_"):
            signature = inspect.signature(public)
            assert signature.return_annotation is not inspect.Signature.empty, public
            for parameter in signature.parameters.values():
                assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty, public


def run_mypy(*arguments, cwd):
    pytest.importorskip("mypy", reason="mypy is not installed (Debian: mypy)")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cwd / "cache"), *arguments]
    environment = dict(os.environ)
    if "site-packages" not in PACKAGE.parts:  # there mypy looks by itself
        environment["MYPYPATH"] = str(PACKAGE.parent)
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    return done.stdout + done.stderr


def test_the_package_passes_mypy_strictly(tmp_path):
    printed = run_mypy("--ignore-missing-imports", "-p", "glassgpt", cwd=tmp_path)
    assert "Success: no issues found" in printed, printed


def test_a_users_mistake_is_found_by_mypy_and_nothing_else(tmp_path):
    (tmp_path / "use.py").write_text(USE)
    printed = run_mypy("use.py", cwd=tmp_path)
    assert "Found 2 errors" in printed and printed.count("use.py:18: error:") == 2, printed
