"""What `edge-batch` was asked to do."""

from dataclasses import dataclass
from pathlib import Path

from edge.contracts import WindowKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments of one run."""

    inputs: tuple[Path, ...]
    """Files and directories."""
    model: str
    """Name or folder."""
    out: Path
    models_dir: Path | None = None
    model_files: tuple[Path, ...] = ()
    """Folders with files of `external` models."""
    template: Path | None = None
    windows: WindowKind = WindowKind.FRAME
    workers: int = 1
    budget_s: float | None = None
    """Seconds from the command's start."""
    fallback: str | None = None
    """Model to step down to; the manifest's by default."""
    resume: bool = False
    post: Path | None = None
    quiet: bool = False
    report: Path | None = None
    """Where to write the summary as JSON."""

    @property
    def journal(self) -> Path:
        """What is scored is kept here until the output is written."""
        return self.out.with_name(f"{self.out.name}.partial")
