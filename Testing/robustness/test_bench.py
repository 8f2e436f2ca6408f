"""A short run of each script of the bench; and that the bench sees what it looks for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the limits are Linux's"
)


def run(script, *arguments):
    """Its exit code and what it printed."""
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("mutate_files.py", ["--inputs", "600"]),
        ("kill_exports.py", ["--kills", "5"]),
        ("full_disk.py", ["--writes", "8"]),
        ("two_annotators.py", ["--steps", "20"]),
    ],
)
def test_a_short_run_finds_no_fault(script, arguments):
    code, printed = run(script, *arguments)
    assert code == 0, printed


def test_what_the_bench_looks_for_is_seen():
    code, printed = run("mutate_files.py", "--inputs", "4", "--only", "self-test")
    counts = re.search(r"^all +4 +(.*)$", printed, re.MULTILINE)[1].split()
    # Read, refused, traceback, crash, over limit: the endless loop and the memory.
    assert (code, counts) == (1, ["0", "0", "1", "1", "2"]), printed


def test_every_script_of_the_folder_is_run():
    source = (HERE / "run.py").read_text(encoding="utf-8")
    texts = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("*.py")}
    scripts = {name for name, text in texts.items() if 'if __name__ == "__main__"' in text}
    assert scripts - {"run.py", "test_bench.py"} == set(re.findall(r'"(\w+\.py)": ', source))
