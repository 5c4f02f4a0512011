"""A base whose embedding is taken from tensors that the command names."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from edge.errors import InputError
from edge.model.folder import ModelFolder
from edge.windows.clips import Aggregate
from edge.windows.tensor_pool import TensorPool

_USUAL_POOL = {"tflite": TensorPool.MEAN, "onnx": TensorPool.MEAN_CHANNELS_FIRST}


def with_tensors(base: ModelFolder, tensors: Sequence[str], pool: TensorPool | None) -> ModelFolder:
    """Return a base whose manifest names other tensors as its embedding.

    Args:
        base: The verified base.
        tensors: Their names.
        pool: How those of more than one row are pooled; by default as the base's format has it.

    Raises:
        InputError: The base has no tensors, or needs its own embedding.
    """
    said = base.manifest
    if said.backend not in _USUAL_POOL:
        raise InputError(
            f"--tensors: {said.name} is a model of tokens, and has no layers to choose from",
            remedy="leave --tensors out, or give a --base of clips",
        )
    if said.aggregate is Aggregate.MEAN_EMBEDDING:
        raise InputError(
            f"--tensors: the scores of {said.name} come from a head on its own embedding",
            remedy="give as --base the model that it was made from",
        )
    if len(set(tensors)) < len(tensors):
        raise InputError("--tensors: a tensor is named twice", remedy="name each tensor once")
    output = msgspec.structs.replace(
        said.output, embedding=tuple(tensors), pool=pool or _USUAL_POOL[said.backend]
    )
    return replace(base, manifest=msgspec.structs.replace(said, output=output))
