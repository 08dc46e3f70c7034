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
    for name in ("scipy.optimize", "scipy.linalg", "scipy.stats", "tqdm.auto", "pooch", "matplotlib", "sklearn"):
        assert name not in loaded


WITHOUT_SKLEARN = """
import sys
sys.modules["sklearn"] = None  # as if it were not installed
import vmfcore
import vmfcore.estimator
"""


def test_the_estimator_alone_needs_scikit_learn_and_says_so():
    run = subprocess.run([sys.executable, "-c", WITHOUT_SKLEARN], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "ImportError: vmfcore.estimator needs scikit-learn: pip install scikit-learn"
