"""Readers of the files that hold results."""

import csv
import io
import json


def strict(data):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(data, parse_constant=refuse)


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode())))
