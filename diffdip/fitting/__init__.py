"""Fits of angular series and of whole spectra, with errors, intervals and doubts."""
