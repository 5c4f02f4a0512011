"""The student's net and its loss, in torch (paper, Table 3)."""

from itertools import pairwise
from typing import Any

from edge.contracts import FloatArray
from edge_build.recipe_parts import StudentRecipe
from edge_build.torch_session import load_torch


def make_net(table: FloatArray, spec: StudentRecipe, *, outputs: int) -> Any:
    """Make an untrained net: the table's vectors, convolutions, maximum over time, two layers.

    Draw its weights by seeding torch before.

    Args:
        table: First vectors of the tokens [shape=(tokens, vector_size)].
        spec: Sizes of the layers.
        outputs: Logits of a window.

    Returns:
        A `ModuleDict` for `logits_of`.
    """
    torch = load_torch()
    nn = torch.nn
    widths = [table.shape[1]] + [spec.channels] * spec.layers
    blocks = [
        nn.Sequential(
            nn.Conv1d(given, made, spec.kernel, padding=spec.kernel // 2),
            nn.ReLU(),
            nn.BatchNorm1d(made),
        )
        for given, made in pairwise(widths)
    ]
    return nn.ModuleDict(
        {
            "table": nn.Embedding.from_pretrained(torch.tensor(table), freeze=False),
            "blocks": nn.ModuleList(blocks),
            "hidden": nn.Linear(spec.channels, spec.hidden),
            "norm": nn.BatchNorm1d(spec.hidden),
            "last": nn.Linear(spec.hidden, outputs),
        }
    )


def logits_of(net: Any, tokens: Any) -> Any:
    """Return logits [shape=(n, outputs)] of windows of tokens, int64 [shape=(n, per_window)]."""
    found = net["table"](tokens).transpose(1, 2)
    for block in net["blocks"]:
        found = block(found)
    hidden = net["norm"](net["hidden"](found.amax(dim=2)).relu())
    return net["last"](hidden)


def divergence(logits: Any, taught: Any, *, temperature: float, exclusive: bool) -> Any:
    """Return the mean KL divergence from the teacher to the student, times the temperature squared.

    Where labels exclude one another it is that of two distributions over the labels; otherwise
    that of labels that are each there or not, which is the sum of theirs. The square keeps the
    size of its gradients whatever the temperature (Hinton et al. 2015).

    Args:
        logits: Of the student [shape=(n, outputs)].
        taught: Logits of the teacher, alike.
        temperature: Divides both.
        exclusive: Softmax, or sigmoids.
    """
    functional = load_torch().nn.functional
    said, wanted = logits / temperature, taught / temperature
    if exclusive:
        log_wanted = functional.log_softmax(wanted, dim=1)
        parts = log_wanted.exp() * (log_wanted - functional.log_softmax(said, dim=1))
    else:
        there, absent = functional.logsigmoid(wanted), functional.logsigmoid(-wanted)
        parts = there.exp() * (there - functional.logsigmoid(said))
        parts = parts + absent.exp() * (absent - functional.logsigmoid(-said))
    return temperature**2 * parts.sum(dim=1).mean()
