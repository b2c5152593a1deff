"""Families of metrics in Prometheus' text format, 0.0.4.

prometheus-client writes it as well, but checks every name of every sample anew: that took most of a
scrape. The names here are our own; a test holds the text to be the same.
"""

import re
from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

_SUFFIXES = {"counter": "_total", "info": "_info"}
_TYPES = {"info": "gauge"}
"""That the format does not know, and what they are there."""
_USUAL: Mapping[float, str] = {0.0: "0.0", 1.0: "1.0"}
_IS_ODD = re.compile(r'[\\\n"]').search


def written(families: Iterable[Metric]) -> bytes:
    """Return all families; of their labels only values may come from outside."""
    lines: list[str] = []
    for one in families:
        name = f"{one.name}{_SUFFIXES.get(one.type, '')}"
        lines.append(f"# HELP {name} {_escaped(one.documentation)}")
        lines.append(f"# TYPE {name} {_TYPES.get(one.type, one.type)}")
        lines += [
            f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}"
            for sample in one.samples
        ]
    lines.append("")
    return "\n".join(lines).encode()


def _number(value: float) -> str:
    if value in _USUAL:
        return _USUAL[value]
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join([f'{key}="{_value(labels[key])}"' for key in sorted(labels)]) + "}"


def _value(text: str) -> str:
    return _escaped(text).replace('"', r"\"") if _IS_ODD(text) else text


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
