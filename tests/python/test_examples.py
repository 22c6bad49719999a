"""The examples run as they stand, and do what they say."""
import pathlib
import runpy
import subprocess
import sys

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "src" / "python" / "examples"


def run(name):
    path = EXAMPLES / name
    code = [line for line in path.read_text().splitlines() if line and not line.startswith(('"""', "#"))]
    assert len(code) <= 10, "an example has ten lines"
    return runpy.run_path(str(path))


def test_the_first_steps_print_what_they_compute(capsys):
    pytest.importorskip("pandas", reason="pandas is not installed (Debian: python3-pandas)")
    ran = run("vectors.py")
    printed = capsys.readouterr().out
    assert repr(ran["vectors"]) in printed and all(token in printed for token in ran["vectors"].rows["token"])
    assert f"attention {ran['trace']['attention'].shape}" in printed


def test_tokens_fall_into_clusters_by_scikit_learn(capsys):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (Debian: python3-sklearn)")
    ran = run("cluster_tokens.py")
    vectors, labels = ran["vectors"], ran["labels"]
    assert len(labels) == len(vectors["final"]) and set(labels) == set(range(len(set(labels))))
    # k-means' own promise: every row is nearest to the mean of its cluster.
    means = np.stack([vectors["final"][labels == label].mean(axis=0) for label in range(len(set(labels)))])
    distances = np.linalg.norm(vectors["final"][:, np.newaxis] - means, axis=-1)
    assert (distances.argmin(axis=1) == labels).mean() > 0.95
    printed = capsys.readouterr().out
    assert all(token.strip() in printed for token in vectors.rows["token"])


@pytest.mark.parametrize("library, package", [("faiss", "python3-faiss"), ("hnswlib", "python3-hnswlib")])
def test_an_index_finds_what_numpy_finds(library, package, capsys):
    pytest.importorskip(library, reason=f"{library} is not installed (Debian: {package})")
    ran = run(f"search_{library}.py")
    similar = ran["query"] @ ran["vectors"]["final"].T
    np.testing.assert_array_equal(np.asarray(ran["found"]), np.argsort(-similar, axis=1)[:, :3])
    assert ran["texts"][int(np.asarray(ran["found"])[0, 0])] in capsys.readouterr().out


def test_parts_of_a_data_frame_by_worker_processes_have_the_bytes_of_one_call(model, tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas is not installed (Debian: python3-pandas)")
    script = EXAMPLES / "partitions.py"
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    defined = runpy.run_path(str(script), run_name="partitions")
    texts = [f"The river has {n} banks." for n in range(40)] + ["银行在河边。"] * 10
    whole = model.embed(texts, unit="text", normalize=True)["final"]
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy"), whole)
    # The two functions are what other schedulers take: they must do the same in this process.
    defined["start_worker"](1)
    np.testing.assert_array_equal(defined["embed_part"](pd.DataFrame({"text": texts[:3]})), whole[:3])
