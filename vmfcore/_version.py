"""The version, told once."""

__version__ = "0.9.4"
