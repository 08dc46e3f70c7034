"""The version, told once."""

__version__ = "0.10.0"
