"""From a folder of spectra to its answer: the analysis, figures, tables and the page."""
