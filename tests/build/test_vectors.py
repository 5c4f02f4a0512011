import signal
import subprocess
import sys

import numpy as np
from gensim.models.word2vec import Word2Vec
from tiny_training import RECIPE, environment, wait_for, write_recipe

from edge_build.cache import Steps
from edge_build.pinned import one_thread
from edge_build.recipe import read_recipe
from edge_build.vectors import Words, fit_vectors, in_token_order

TOKENS = 30


def _sentences():
    generator = np.random.Generator(np.random.PCG64(3))
    # Low numbers are rare, so that gensim's order of frequency is not the order of the tokens.
    weights = np.arange(1, TOKENS - 1) / np.arange(1, TOKENS - 1).sum()
    return [generator.choice(TOKENS - 2, size=40, p=weights).astype(np.int32) for _ in range(40)]


def test_rows_are_in_token_order(tmp_path):
    """Row t is gensim's vector of the word t, for every token, and zeros where it is unseen."""
    recipe = read_recipe(write_recipe(tmp_path))
    sentences = _sentences()
    spec = recipe.word2vec
    model = Word2Vec(
        list(Words(sentences)),
        vector_size=spec.vector_size,
        window=spec.window,
        negative=spec.negative,
        ns_exponent=spec.ns_exponent,
        sample=spec.sample,
        epochs=spec.epochs,
        seed=recipe.seed,
        sg=1,
        min_count=1,
        workers=1,
    )
    table = fit_vectors(sentences, recipe, tokens=TOKENS, steps=Steps(tmp_path / "steps"))
    seen = set(np.concatenate(sentences).tolist())
    assert list(range(TOKENS)) != list(map(int, model.wv.index_to_key))
    for token in range(TOKENS):
        expected = model.wv.get_vector(str(token)) if token in seen else np.zeros(spec.vector_size)
        np.testing.assert_array_equal(expected, table[token])
    assert not table[TOKENS - 1].any()


PROGRAM = """\
import sys
from pathlib import Path
import numpy as np
from edge_build.cache import Steps
from edge_build.pinned import one_thread
from edge_build.recipe import read_recipe
from edge_build.vectors import fit_vectors

folder = Path(sys.argv[1])
generator = np.random.Generator(np.random.PCG64(4))
sentences = list(generator.integers(0, 300, (100, 200)))
recipe = read_recipe(folder / "tiny.yaml")
table = fit_vectors(sentences, recipe, tokens=300, steps=Steps(folder / sys.argv[2]))
np.save(folder / f"{sys.argv[2]}.npy", table)
"""


def test_a_killed_fit_goes_on(tmp_path):
    """From the last epoch that was kept, to the same bits."""
    write_recipe(tmp_path, RECIPE.replace("sample: 0.0, epochs: 3", "sample: 0.002, epochs: 20"))

    def start(name):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), name]
        pinned = one_thread(environment(tmp_path / "cache"))
        return subprocess.Popen(command, env=pinned, stderr=subprocess.PIPE, text=True)

    killed = start("resumed")
    kept = tmp_path / "resumed" / "epoch.npz"
    wait_for(lambda: kept.exists() or killed.poll() is not None)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    with np.load(kept) as epoch:
        finished = int(epoch["finished"])
    assert 1 <= finished < 20
    resumed, unbroken = start("resumed"), start("unbroken")
    said = [process.communicate(timeout=60)[1] for process in (resumed, unbroken)]
    assert f"{finished}/20" in said[0]
    assert "0/20" in said[1]
    expected, actual = (tmp_path / f"{name}.npy" for name in ("unbroken", "resumed"))
    assert expected.read_bytes() == actual.read_bytes()


def test_a_number_is_a_word():
    """gensim's row 0 goes to the token it is for, not to token 0."""
    rows = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    expected = np.array([[0, 0], [3, 4], [0, 0], [1, 2]], dtype=np.float32)
    np.testing.assert_array_equal(expected, in_token_order({"3": 0, "1": 1}, rows, tokens=4))


def test_long_recordings_stay_whole():
    """Nothing of a long recording is lost to gensim's limit of 10 000 words a sentence."""
    tokens = np.arange(12_345, dtype=np.int32) % 7
    words = list(Words([tokens]))
    assert max(map(len, words)) <= 10_000
    assert [str(token) for token in tokens] == [word for part in words for word in part]
