"""The version of diffdip, which every result states."""

__version__ = "0.1.0"
