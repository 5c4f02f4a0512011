"""A small STSG model folder of random numbers, for tests of what runs models."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from edge.backends import stsg
from edge.load import golden_scores
from edge.model.folder import read_folder

LABELS = ("owl", "frog, small", 'the "loud" one', "wren", "cicada")


def write_tiny_stsg(
    folder: Path,
    *,
    seed: int = 1,
    labels: Sequence[str] = LABELS,
    fallback: str | None = None,
    pool: Sequence[dict[str, object]] = (),
    head_takes_tokens: bool = False,
    books: int = 1,
) -> Path:
    """Write a model folder that passes every check of the loader.

    Args:
        folder: What to write.
        seed: Of the random numbers.
        labels: What it knows.
        fallback: The model to step down to.
        pool: The parts of the head's vector; the mean of the tokens' vectors by default. What they
            do not need, codebook or vectors, is left out.
        head_takes_tokens: Whether the head takes tokens, not a vector.
        books: Codebooks, which share dimensions and tokens; 1, 2, 4 or 8.
    """
    import faiss
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    bands, dims, tokens, size = 64, 8, 32, 16
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    basis = np.linalg.qr(rng.standard_normal((bands, dims)))[0].T.astype(np.float32)
    pca = faiss.PCAMatrix(bands, dims)
    faiss.copy_array_to_vector(np.ascontiguousarray(basis).ravel(), pca.A)
    faiss.copy_array_to_vector(np.zeros(dims, dtype=np.float32), pca.b)
    pca.is_trained = True
    index = faiss.IndexFlatL2(dims)
    centroids = rng.standard_normal((tokens, dims)).astype(np.float32)
    index.add(centroids)
    if books > 1:
        index = faiss.IndexPQ(dims, books, (tokens // books).bit_length() - 1)
        faiss.copy_array_to_vector(centroids[: tokens // books].ravel(), index.pq.centroids)
        index.is_trained = True
    sources = {str(part["of"]) for part in pool} or {"vectors"}
    described: dict[str, object] = {"features": {"mel_bands": bands}}
    if head_takes_tokens or sources & {"vectors", "points"}:
        faiss.write_index(faiss.IndexPreTransform(pca, index), str(folder / "codebook.faiss"))
        described |= {"dims": dims, "tokens": tokens, "books": books}
    widths = {"vectors": size, "points": dims, "features": bands}
    if "vectors" in sources and not head_takes_tokens:
        np.save(folder / "vectors.npy", rng.standard_normal((tokens, size)).astype(np.float32))
        described["vector_size"] = size
        size *= books
        widths["vectors"] = size
    if pool:
        described["pool"] = list(pool)
        size = sum(widths[str(part["of"])] * len(part["by"]) for part in pool)  # type: ignore[arg-type]
    if head_takes_tokens:
        described["head_takes"] = "tokens"
        size = 40
    weights = (rng.standard_normal((size, len(labels))) * 1.5).astype(np.float32)
    weights /= np.float32(np.sqrt(size / 16))
    bias = np.full(len(labels), -1.0, dtype=np.float32)
    taken = TensorProto.INT64 if head_takes_tokens else TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["vector"], to=TensorProto.FLOAT),
            helper.make_node("Gemm", ["vector", "w", "b"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "head",
        [helper.make_tensor_value_info("x", taken, [1, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(labels)])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "head.onnx")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    np.save(folder / "golden.npy", np.zeros(len(labels), dtype=np.float32))
    manifest = {
        "schema": 1,
        "name": folder.name,
        "version": "1",
        "backend": "stsg",
        "input": {"sample_rate": 32_000, "clip_seconds": 5.0, "step_seconds": 5.0},
        "golden": {"scores": "golden"},
        "licence": {"name": "Apache-2.0", "commercial_use": True},
        "source": "random numbers",
        "stsg": described,
    }
    if fallback:
        manifest["fallback"] = fallback
    seal(folder, manifest)
    np.save(folder / "golden.npy", golden_scores(stsg.load(read_folder(folder))))
    seal(folder, manifest)
    return folder


def seal(folder: Path, manifest: dict[str, object]) -> None:
    """Write the manifest with the sizes and hashes of the files as they are."""
    files: dict[str, dict[str, object]] = {}
    names = {
        "codebook": "codebook.faiss",
        "vectors": "vectors.npy",
        "head": "head.onnx",
        "labels": "labels.txt",
        "golden": "golden.npy",
    }
    for key, name in names.items():
        if not (folder / name).exists():
            continue
        content = (folder / name).read_bytes()
        files[key] = {
            "path": name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }
    files["labels"]["format"] = "lines"
    text = yaml.safe_dump({**manifest, "files": files}, sort_keys=False)
    (folder / "model.yaml").write_text(text)
