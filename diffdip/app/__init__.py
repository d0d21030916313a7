"""`diffdip app`: the command line's answers on pages in a browser, by Streamlit.

`uploads` and `downloads` know nothing of Streamlit; `frame` holds what all pages share; `main` is
the script that Streamlit runs. The numbers are those of `diffdip analyze`, `diffdip curve` and
`diffdip ensemble`, by the same functions.
"""
