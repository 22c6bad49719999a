"""The examples run as they stand, and do what they say."""
import pathlib
import runpy

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
