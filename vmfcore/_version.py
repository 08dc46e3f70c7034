"""The version, told once."""

__version__ = "0.8.0"
