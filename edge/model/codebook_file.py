"""PCA and centroids, as one Faiss file holds them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.contracts import FloatArray
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.product import ProductCodebook
from edge.stsg.tokenizer import Search


@dataclass(frozen=True, slots=True)
class CodebookFile:
    """What a file holds."""

    codebook: Codebook | ProductCodebook
    """Searched exactly, by edge itself."""
    search: Search | None
    """The file's own search, of one codebook."""
    index: str
    """Faiss' name of what holds the centroids."""
    is_flat: bool
    """Whether the file's own search looks at every centroid."""


def read_codebook(path: Path) -> CodebookFile:
    """Read an `IndexPreTransform` of one linear transform and an L2 index.

    Raises:
        ValueError: It is something else, or broken.
    """
    import faiss  # noqa: PLC0415 (heavy: loaded by who runs or makes STSG)

    form = "an IndexPreTransform of one PCAMatrix and an L2 index or IndexPQ"
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        # What Faiss says is of its own source files.
        raise ValueError("it is broken, or no index of Faiss") from None
    chain = faiss.downcast_index(index)
    if not isinstance(chain, faiss.IndexPreTransform) or chain.chain.size() != 1:
        raise ValueError(f"{type(chain).__name__} is not {form}")
    pca = faiss.downcast_VectorTransform(chain.chain.at(0))
    inner = faiss.downcast_index(chain.index)
    if not isinstance(pca, faiss.LinearTransform) or inner.metric_type != faiss.METRIC_L2:
        raise ValueError(f"it is not {form}")
    projection = faiss.vector_to_array(pca.A).reshape(-1, pca.d_in)[: pca.d_out]
    bias = faiss.vector_to_array(pca.b) if pca.have_bias else np.zeros(pca.d_out, np.float32)
    kind, is_flat = type(inner).__name__, isinstance(inner, faiss.IndexFlat)
    if isinstance(inner, faiss.IndexPQ):
        centroids = faiss.vector_to_array(inner.pq.centroids)
        books = centroids.reshape(inner.pq.M, inner.pq.ksub, inner.pq.dsub)
        return CodebookFile(ProductCodebook(projection, bias, books), None, kind, is_flat)

    def search(points: FloatArray) -> TokenArray:
        return np.asarray(inner.search(np.ascontiguousarray(points), 1)[1][:, 0], dtype=np.int32)

    # The inner index must not outlive the chain that owns it.
    search.owner = index  # type: ignore[attr-defined]
    codebook = Codebook(projection, bias, inner.reconstruct_n(0, inner.ntotal))
    return CodebookFile(codebook, search, kind, is_flat)
