"""The version of diffdip, which every result states."""

__version__ = "0.2.0"
