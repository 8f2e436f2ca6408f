"""A short run of the bench's parts for model files, messages of the worker, and killed workers."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("resource")
pytest.importorskip("psutil")
if not Path("/proc/self/statm").exists():
    pytest.skip("The bench counts memory as Linux tells it.", allow_module_level=True)

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("mutate_models.py", ("--inputs", "60")),
        ("mutate_messages.py", ("--inputs", "200")),
        ("kill_workers.py", ("--runs", "2")),
    ],
)
def test_a_short_run_finds_no_fault(script, options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / script), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("raise KeyError('x')", "traceback"),
        ("os.abort()", "crash"),
        ("bytearray(2**33)", "over limit"),
        ("exec('while True: pass')", "over limit"),
    ],
)
def test_each_kind_of_fault_is_seen(tmp_path, line, word):
    """The bench itself: an input in which something goes wrong, among others that are well."""
    script = tmp_path / "bench.py"
    script.write_text(
        f"import os, sys\nsys.path.insert(0, {str(HERE)!r})\nimport limited\n"
        "limited.CPU_SECONDS = 1\ntried = []\n"
        "def try_one(rng):\n"
        "    tried.append(rng.random())\n"
        f"    if abs(tried[-1] - {random.Random('0-1').random()!r}) < 1e-12:\n"
        f"        {line}\n"
        "    return limited.READ\n"
        "sys.exit(limited.main('bench', try_one))\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(script), "--inputs", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    counts = dict(row.rsplit(None, 1) for row in done.stdout.splitlines()[1:7])
    assert {name.strip(): int(n) for name, n in counts.items()} == {
        "inputs": 3,
        "refused": 0,
        "read": 2,
        "traceback": 0,
        "crash": 0,
        "over limit": 0,
        word: 1,
    }
