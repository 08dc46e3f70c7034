import subprocess
import sys

SCRIPT = """
import sys
import vmfcore
print(*sorted(sys.modules))
"""


def test_what_takes_long_to_load_is_loaded_when_it_is_needed():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "numba" in loaded  # the names are those of modules
    for name in ("scipy.optimize", "scipy.linalg", "scipy.stats", "tqdm.auto", "pooch", "matplotlib"):
        assert name not in loaded
