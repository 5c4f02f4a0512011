"""The comparison of a conversion with its source, as a table and as a model card."""

import math
from dataclasses import dataclass
from pathlib import Path

from edge.model.folder import ModelFolder
from edge.model.manifest import Manifest
from edge.table.text import as_text
from edge_build.convert.compare import Heard
from edge_build.convert.folder import SOURCE_CARD_NAME, folder_bytes
from edge_build.convert.kinds import Kind, Tolerance
from edge_build.folder import CARD_NAME
from edge_build.pinned import library_versions


@dataclass(frozen=True, slots=True)
class Graph:
    """A converted file beside its source."""

    key: str
    """In the manifest's `files`."""
    source_bytes: int
    converted_bytes: int
    seconds: tuple[float, float] | None
    """CPU time of a run, source and conversion; None where their runtimes differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All that is known of a conversion."""

    kind: Kind
    source: ModelFolder
    converted: ModelFolder
    graphs: tuple[Graph, ...]
    heard: Heard
    tolerance: Tolerance

    @property
    def notes(self) -> list[str]:
        """Say what was left out, and where the conversion gains nothing, a line each."""
        notes = list(self.heard.notes)
        for graph in self.graphs:
            if graph.seconds is not None and graph.seconds[1] > _AS_FAST * graph.seconds[0]:
                notes.append(
                    f"{graph.key} runs no faster: {_micro(graph.seconds[0])} before and "
                    f"{_micro(graph.seconds[1])} after; it is smaller, and that is all"
                )
        window_s = self.heard.source_s / len(self.heard.source)
        for graph in self.graphs:
            if graph.seconds is not None and graph.seconds[0] < _SMALL_SHARE * window_s:
                share = f"{graph.seconds[0] / window_s:.1%}".replace("0.0%", "less than 0.1%")
                notes.append(
                    f"{graph.key} takes {share} of the model's time: what is gained there is not "
                    "felt"
                )
        return notes

    @property
    def markdown(self) -> str:
        """The comparison as a Markdown table."""
        heard, tolerance = self.heard, self.tolerance
        agreed = f"at least {tolerance.agreement:g}"
        rows = [
            ("figure", "source", str(self.kind), "ratio or tolerance"),
            ("---", "---:", "---:", "---"),
            (
                "largest score difference",
                "",
                _figure(heard.largest),
                f"at most {tolerance.difference:g}",
            ),
            ("mean score difference", "", _figure(heard.mean), ""),
            (
                "rank agreement (Spearman)",
                "",
                _figure(heard.ranks),
                f"at least {tolerance.ranks:g}",
            ),
            ("windows with the same top label", "", _figure(heard.same_top), agreed),
        ]
        if len(heard.cosines):
            least = float(heard.cosines.min())
            rows.append(("least cosine of the embeddings", "", _figure(least), agreed))
        before, after = heard.scores(heard.source), heard.scores(heard.converted)
        if before is not None and after is not None:
            fall = f"may fall by {tolerance.loss:g}"
            rows += [
                ("accuracy", f"{before.accuracy:.3f}", f"{after.accuracy:.3f}", fall),
                ("macro F1", f"{before.macro_f1:.3f}", f"{after.macro_f1:.3f}", fall),
            ]
        for graph in self.graphs:
            sizes = graph.source_bytes / 1e3, graph.converted_bytes / 1e3
            rows.append((f"{graph.key}, kB", *_pair(sizes, ".1f")))
        sizes = folder_bytes(self.source) / 1e3, folder_bytes(self.converted) / 1e3
        rows.append(("all files, kB", *_pair(sizes, ".1f")))
        for graph in self.graphs:
            if graph.seconds is not None:
                times = graph.seconds[0] * 1e6, graph.seconds[1] * 1e6
                rows.append((f"{graph.key}, CPU µs a run", *_pair(times, ".1f")))
        windows = len(heard.source)
        times = heard.source_s / windows * 1e3, heard.converted_s / windows * 1e3
        rows.append(("whole model, CPU ms a window", *_pair(times, ".2f")))
        return "".join("| " + " | ".join(row) + " |\n" for row in rows)

    @property
    def basis(self) -> str:
        """What it was compared on, in a sentence."""
        heard = self.heard
        known = (
            f"; {heard.labelled} of them have labels"
            if heard.scores(heard.source) is not None
            else "; no two labels of the model are known there, so there is no accuracy"
        )
        return (
            f"{len(heard.source)} windows of {len(heard.truth)} clips of real audio{known}. Times "
            "are of one machine, one thread, both in turn."
        )


def write_card(folder: Path, comparison: Comparison, *, command: str) -> None:
    """Write the card of a conversion into its folder.

    Args:
        folder: The model folder.
        comparison: With its source.
        command: What made it.
    """
    source, said = comparison.source.manifest, comparison.converted.manifest
    described = (
        f" Its card is `{SOURCE_CARD_NAME}`; what it says of the data and of scores is of the "
        "source."
        if (folder / SOURCE_CARD_NAME).is_file()
        else ""
    )
    notes = [f"- {note}" for note in comparison.notes] or ["- none"]
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    sections = [
        f"# {folder.name} {said.version}",
        f"{source.name} {source.version} as {comparison.kind}, made by `edge-build convert`: "
        f"{', '.join(_file_name(comparison, graph) for graph in comparison.graphs)}; all else is "
        f"the source's.{described}",
        "## Comparison",
        f"{comparison.basis}\n\n{comparison.markdown}".rstrip(),
        "## Notes",
        "\n".join(notes),
        "## Licence",
        _licence(source),
        "## Made again",
        f"```\n{command}\n```\n\nPaths are cut to their last name. Made with {versions}.",
    ]
    (folder / CARD_NAME).write_text("\n\n".join(sections) + "\n", "utf-8")


def _licence(source: Manifest) -> str:
    licence = source.licence
    use = "allowed" if licence.commercial_use else "not allowed"
    said = f"That of the source: {licence.name}; commercial use is {use}. {licence.attribution}"
    return said.rstrip()


def _file_name(comparison: Comparison, graph: Graph) -> str:
    return as_text(comparison.converted.manifest.files[graph.key].path)


def _pair(values: tuple[float, float], form: str) -> tuple[str, str, str]:
    before, after = values
    ratio = f"{after / before:.2f} times" if before else ""
    return f"{before:{form}}", f"{after:{form}}", ratio


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs"


_AS_FAST = 0.95
_SMALL_SHARE = 0.02
