"""What the tests share. They import glassgpt as a user does, from PYTHONPATH or an installed wheel; GLASSGPT_PROGRAM names the command line."""
import json
import os
import pathlib
import subprocess

import pytest

import glassgpt

# English, Chinese, characters that tokens cut through, no text at all, and one that is not UTF-8.
TEXTS = [
    "She sat on the bank of the river.".encode(),
    "他在银行存钱，然后去了河边。".encode(),
    "🦜 says 𠮷野家 naïvely\t!".encode(),
    b"",
    b"\xff\xfe broken \xe6\xb2 bytes",
    b" word" * 200,
]


@pytest.fixture(scope="session")
def model():
    return glassgpt.load()


@pytest.fixture(scope="session")
def model_directory(model):
    return model.path


class Program:
    """The command line program on the same model, whose results Python's must equal byte for byte."""

    def __init__(self, path, model_directory):
        self._path, self._model = path, model_directory

    def __call__(self, command, *arguments):
        done = subprocess.run(
            [self._path, command, "--quiet", "-m", self._model, *map(str, arguments)], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def json_lines(self, command, *arguments):
        return [json.loads(line) for line in self(command, "--json", *arguments).splitlines()]


@pytest.fixture(scope="session")
def program(model_directory):
    path = os.environ.get("GLASSGPT_PROGRAM")
    if not path:
        pytest.skip("GLASSGPT_PROGRAM names no program to compare with")
    return Program(path, model_directory)


@pytest.fixture
def text_file(tmp_path):
    """TEXTS, one a line."""
    path = pathlib.Path(tmp_path, "texts.txt")
    path.write_bytes(b"\n".join(TEXTS) + b"\n")
    return path
