"""The server of the pages, which `diffdip app` runs through Streamlit."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from diffdip.app.own_origin import OwnOrigin


app = st.App(Path(__file__).with_name("main.py"), middleware=[Middleware(OwnOrigin)])
