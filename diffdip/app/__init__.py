"""`diffdip app`: analyze spectra, draw curves and simulate ensembles on pages in a browser.

`main` is the script that Streamlit runs, `frame` has what all pages share, and `field_labels`
names the fields. `uploads` and `downloads` do not import Streamlit. The numbers come from the same
functions as those of `diffdip analyze`, `diffdip curve` and `diffdip ensemble`.
"""
