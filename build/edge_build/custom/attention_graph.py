"""An attention head as nodes of an ONNX graph."""

from typing import Any

import numpy as np

from edge_build.custom.attention import EPSILON, HEADS, WIDTH, AttentionHead
from edge_build.custom.calibration import Calibration, Reals


def attention_parts(
    head: AttentionHead, calibration: Calibration
) -> tuple[list[Any], dict[str, Any]]:
    """Describe the head from `embedding` [1, size] to `scores` [1, n_labels].

    The standardisation is folded into the tokens' projections, the calibration into the last layer.
    What the class token asks for is the same for every sound, so it is folded into the keys.

    Returns:
        Nodes, and initializers by name.
    """
    from onnx import helper  # noqa: PLC0415 (heavy, build only)

    given = {name: part.astype(np.float64) for name, part in head.weights.items()}
    tensors: dict[str, Any] = {"widths": np.array(head.tokens, dtype=np.int64)}
    nodes: list[Any] = []

    def add(operator: str, taken: list[str], made: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, taken, [made], **attributes))
        return made

    def layer(taken: str, name: str, made: str) -> str:
        tensors[name], tensors[f"{name}_bias"] = given[name], given[f"{name}_bias"]
        return add("Gemm", [taken, name, f"{name}_bias"], made)

    def normal(taken: str, name: str) -> str:
        tensors.setdefault("epsilon", np.array(EPSILON))
        for part in ("scale", "shift"):
            tensors[f"{name}_{part}"] = given[f"{name}_{part}"]
        mean = add("ReduceMean", [taken], f"{name}_mean", axes=[1])
        centred = add("Sub", [taken, mean], f"{name}_centred")
        square = add("Mul", [centred, centred], f"{name}_square")
        variance = add("ReduceMean", [square], f"{name}_variance", axes=[1])
        safe = add("Add", [variance, "epsilon"], f"{name}_safe")
        spread = add("Sqrt", [safe], f"{name}_deviation")
        unit = add("Div", [centred, spread], f"{name}_unit")
        scaled = add("Mul", [unit, f"{name}_scale"], f"{name}_scaled")
        return add("Add", [scaled, f"{name}_shift"], name)

    pieces = [f"piece_{i}" for i in range(len(head.tokens))]
    nodes.append(helper.make_node("Split", ["embedding", "widths"], pieces, axis=1))
    rows = []
    for i, start in enumerate(np.cumsum([0, *head.tokens[:-1]])):
        part = slice(int(start), int(start) + head.tokens[i])
        weights = given[f"project_{i}"] / head.scale[part].astype(np.float64)[:, np.newaxis]
        bias = given[f"token_bias_{i}"] - head.mean[part].astype(np.float64) @ weights
        tensors |= {f"project_{i}": weights, f"token_bias_{i}": bias}
        rows.append(add("Gemm", [pieces[i], f"project_{i}", f"token_bias_{i}"], f"token_{i}"))
    tensors |= {
        "class": given["class"][np.newaxis],
        "asked": _asked(given),
        "spread": np.kron(np.eye(HEADS), np.ones(WIDTH // HEADS)),
        "along": np.array([0], dtype=np.int64),
    }
    series = add("Concat", ["class", *rows], "series", axis=0)
    normed = normal(series, "norm_1")
    shares = add("Softmax", [add("MatMul", [normed, "asked"], "likeness")], "shares", axis=0)
    wide = add("MatMul", [shares, "spread"], "wide_shares")
    heard = add("Mul", [wide, layer(normed, "value", "values")], "weighted")
    heard = add("ReduceSum", [heard, "along"], "heard", keepdims=1)
    state = add("Add", ["class", layer(heard, "mix", "mixed")], "state")
    inner = add("Relu", [layer(normal(state, "norm_2"), "up", "inner")], "active")
    state = add("Add", [state, layer(inner, "down", "outer")], "last_state")
    given["last"] = given["last"] * calibration.slopes
    given["last_bias"] = given["last_bias"] * calibration.slopes + calibration.offsets
    add("Sigmoid", [layer(normal(state, "norm_3"), "last", "logits")], "scores")
    return nodes, tensors


def _asked(weights: dict[str, Reals]) -> Reals:
    """Return what a normalised token is multiplied by for each head [shape=(WIDTH, HEADS)]."""
    token = weights["class"]
    unit = (token - token.mean()) / np.sqrt(token.var() + EPSILON)
    query = (unit * weights["norm_1_scale"] + weights["norm_1_shift"]) @ weights["query"]
    size = WIDTH // HEADS
    keys = weights["key"].reshape(WIDTH, HEADS, size)
    found: Reals = np.einsum("whs,hs->wh", keys, query.reshape(HEADS, size)) / np.sqrt(size)
    return found
