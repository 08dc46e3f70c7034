"""Where the data files are: data/ of a checkout, which a wheel holds inside the package."""

from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """Path of a file that comes with the package.

    Parameters
    ----------
    name : str
        Of the file in data/, with its ending.
    """
    package = Path(str(files("vmfcore")))
    installed = package / "shipped"
    return (installed if installed.is_dir() else package.with_name("data")) / name
