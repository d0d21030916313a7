"""From a folder of spectra to A, B, C: the analysis, figures, tables and the page."""
