"""One model, many threads of Python's: the same bytes, the interpreter free meanwhile, and signals heard."""
import concurrent.futures
import copy
import pickle
import signal
import subprocess
import sys
import threading

import pytest

import glassgpt

TEXTS = [f"Text number {i}: the river bank, 河岸。" * (1 + i % 7) for i in range(24)]


def test_threads_that_share_a_model_get_the_bytes_of_one(model_directory):
    model = glassgpt.load(model_directory)  # a fresh one: its weights are packed by whoever comes first
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        out = []
        for i in range(len(TEXTS)):
            text = TEXTS[(i + number) % len(TEXTS)]
            vectors = model.embed(text, layers=[0, 3, "final"], threads=1 + number % 2)
            out.append((text, b"".join(array.tobytes() for array in vectors.values()), model.trace(text, "q")["q"].tobytes()))
            assert model.detokenize(model.tokenize(text).ids).decode() == text
        return out

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = [pair for found in pool.map(work, range(8)) for pair in found]
    assert len(results) == 8 * len(TEXTS)
    alone = glassgpt.load(model_directory)
    for text in TEXTS:
        vectors = alone.embed(text, layers=[0, 3, "final"], threads=1)
        expected = b"".join(array.tobytes() for array in vectors.values()), alone.trace(text, "q")["q"].tobytes()
        assert {(a, b) for found, a, b in results if found == text} == {expected}


@pytest.fixture
def switches_only_where_the_lock_is_let_go():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("call", ["embed", "trace", "tokenize", "load"])
def test_other_threads_run_meanwhile(call, model, model_directory, switches_only_where_the_lock_is_let_go):
    work = {
        "embed": lambda: model.embed(TEXTS * 4),
        "trace": lambda: model.trace(" word" * 200),
        "tokenize": lambda: model.tokenize(" word" * 200000),
        "load": lambda: glassgpt.load(model_directory),
    }[call]
    begin, ran = threading.Lock(), []
    begin.acquire()

    def other():
        begin.acquire()
        ran.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    begin.release()
    # The other thread may go on, but nobody lets the interpreter go: what keeps it is seen.
    sum(range(10**6))
    assert not ran
    for _ in range(1000):
        work()
        if ran:
            break
    # Waiting for it would let it run.
    meanwhile = bool(ran)
    thread.join()
    assert meanwhile


class Interrupted(Exception):
    pass


CALLS = {
    # Cut into tokens before the first look for signals, then 200 passes.
    "between passes": [b" word" * 250] * 200,
    # The last would be an error, too long, before the first pass.
    "while texts are cut into tokens": [b" word" * 250] * 20000 + [b" word" * 300],
}


@pytest.mark.parametrize("when", CALLS)
def test_signals_are_heard(when, model, switches_only_where_the_lock_is_let_go):
    """A handler that runs only after the call would run once: signals of one kind are not counted while they wait."""
    heard, over = [], threading.Event()

    def hear(number, frame):
        heard.append(number)
        if len(heard) == 3:
            raise Interrupted

    def ring():  # runs from when the call lets the interpreter go
        while not over.wait(0.002):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, hear)
    bell = threading.Thread(target=ring)
    try:
        with pytest.raises(Interrupted):
            bell.start()
            model._engine.embed(
                CALLS[when],
                layers="final", taps="", unit="text", pool="mean", normalize=False, center=[], truncate="error", stride=0,
                batch_tokens=250, special="none", threads=1, gemm="auto", dtype="f32",
            )  # fmt: skip
    finally:
        over.set()
        bell.join()
        signal.signal(signal.SIGALRM, before)
    assert model.embed("and it goes on")["final"].shape[0] > 0


FORK = """
import os, signal, sys
import glassgpt
model = glassgpt.load()
text = " word" * 200
expected = model.embed(text, threads=2)["final"].tobytes(), model.trace(text, "q", threads=2)["q"].tobytes()
child = os.fork()
if child == 0:
    signal.alarm(300)  # what waits for ever is ended
    found = model.embed(text, threads=2)["final"].tobytes(), model.trace(text, "q")["q"].tobytes()
    os._exit(0 if found == expected else 1)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_forked_process_computes_the_same_bytes():
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 0


# The parent has used OpenMP before, the child imports the package.
FORK_BEFORE_IMPORT = """
import os, signal, sys
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
x = np.random.rand(4000, 20)
HistGradientBoostingRegressor(max_iter=3).fit(x, x[:, 0])
child = os.fork()
if child == 0:
    signal.alarm(300)
    import glassgpt
    os._exit(0 if len(glassgpt.load().embed(" word" * 200, threads=2)["final"]) else 1)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_process_forked_before_the_import_computes_too():
    pytest.importorskip("sklearn", reason="Debian's python3-sklearn is not installed: it is what uses OpenMP before the fork")
    assert subprocess.run([sys.executable, "-c", FORK_BEFORE_IMPORT], check=False).returncode == 0


def test_a_model_keeps_its_path_when_the_working_directory_changes(model_directory, monkeypatch):
    monkeypatch.chdir(model_directory.parent)
    relative = glassgpt.load(model_directory.name, tokenizer=model_directory.name)
    monkeypatch.chdir("/")
    again = pickle.loads(pickle.dumps(relative))
    assert again.path == relative.path and again.path.samefile(model_directory)
    assert copy.copy(relative) is relative and copy.deepcopy(relative) is relative


def test_a_model_goes_to_other_processes_by_its_path(model):
    again = pickle.loads(pickle.dumps(model))
    assert again.embed("a text")["final"].tobytes() == model.embed("a text")["final"].tobytes()
