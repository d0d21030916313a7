"""Uploads that must be refused, and folders as zips."""

import re

from diffdip.app import downloads
from tests.helpers import spectra_files as files


MARKUP = "film <b>*1*![x](http:__127.0.0.1:9_x.png)"
"""A name that would be a heading, an image or HTML if a page did not escape it."""

ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
    b"<ESRXmlFile>&c;</ESRXmlFile>"
)
"""A file that declares entities, which could expand to any size."""

HUGE_PARTS = ("rotation.DSC", "XPTS", "268435456")
"""What the message about `huge` names."""


def zipped(folder, prefix="sweeps/"):
    return downloads.zip_bytes(
        {f"{prefix}{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    )


def huge(folder):
    """A BES3T descriptor that declares 2 GB, beside a few bytes of data."""
    descriptor = files.bes3t(folder)
    text = re.sub(r"XPTS\t\d+", f"XPTS\t{2**31 // 8}", descriptor.read_text())
    return {"rotation.DSC": text.encode(), "rotation.DTA": bytes(800)}
