"""A folder that may not be listed harms nothing else."""

import os

from edge.batch.inputs import find_recordings


def test_a_locked_folder_inside_is_counted_and_the_others_are_found(tmp_path, monkeypatch):
    """It stands among the recordings itself, so that it is reported as failed."""
    locked = tmp_path / "locked"
    locked.mkdir()
    (tmp_path / "good.wav").touch()
    list_folder = os.scandir

    def refuse(folder):
        # The one call that fails for an ordinary user; who runs as root may list everything.
        if os.fspath(folder) == str(locked):
            raise PermissionError(13, "Permission denied")
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    expected = [str(tmp_path / "good.wav"), str(locked)]
    assert expected == list(find_recordings([tmp_path]).paths)
