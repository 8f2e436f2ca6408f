"""The folder that client and worker share: a dead client's goes, a living one's stays."""

import os
import subprocess
import sys
import tempfile

import pytest

from landmark_heatmap.worker.folder import PREFIX, OwnedFolder, clear_dead

SCRIPT = (
    "import sys\n"
    "from landmark_heatmap.worker.folder import OwnedFolder\n"
    "owned = OwnedFolder()\n"
    "(owned.path / 'image-1').write_bytes(b'a patient')\n"
    "print(owned.path, flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def owner():
    """Another process that owns a folder."""
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=path, **pipes)
    return process, process.stdout.readline().decode().strip()


def end(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_folder_of_a_killed_process_is_removed(tmp_path):
    process, folder = owner()
    end(process)
    assert os.path.exists(folder)
    clear_dead()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_process_is_never_touched():
    process, folder = owner()
    try:
        clear_dead()
        assert os.listdir(folder).count("image-1") == 1
    finally:
        end(process)


def test_ones_own_folder_is_not_taken_for_a_dead_ones():
    owned = OwnedFolder()
    clear_dead()
    assert owned.path.is_dir()
    owned.remove()
    assert not owned.path.exists()


def test_only_folders_of_this_name_are_removed(tmp_path):
    (tmp_path / "landmark-heatmap-of-the-user").mkdir()
    (tmp_path / f"{PREFIX}a-file").write_text("mine", encoding="utf-8")
    clear_dead()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_link_of_this_name_leads_nowhere(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "precious")
    clear_dead()
    assert (tmp_path / "precious").is_dir()


def test_a_temporary_folder_that_is_gone_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    clear_dead()
    with pytest.raises(OSError):
        OwnedFolder()


@pytest.mark.skipif(os.name == "nt", reason="locks of another kind")
def test_one_who_tidies_up_between_making_and_locking_is_outwitted(monkeypatch):
    """The folder is taken for a dead one's and removed; the owner makes another."""
    make, made = tempfile.mkdtemp, []

    def make_and_lose(**options):
        made.append(make(**options))
        if len(made) == 1:
            clear_dead()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    owned = OwnedFolder()
    assert len(made) == 2 and str(owned.path) == made[1] and owned.path.is_dir()
    owned.remove()
