"""What the server tells Prometheus: counters, gauges and histograms in its text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of request times, in seconds."""

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Numbers about the running server; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._help: dict[str, tuple[str, str]] = {}
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[str, Callable[[], float | None]] = {}
        self._labelled: dict[str, tuple[str, Callable[[], Mapping[str, float]]]] = {}
        self._times: dict[str, dict[Labels, list[float]]] = {}

    def counter(self, name: str, text: str) -> None:
        """Announce a counter."""
        self._help[name] = ("counter", text)
        self._counters[name] = {}

    def gauge(self, name: str, text: str, value: Callable[[], float | None]) -> None:
        """Announce a number that is asked for when it is wanted; None is left out."""
        self._help[name] = ("gauge", text)
        self._gauges[name] = value

    def gauges(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """Announce numbers that are asked for when they are wanted, by the value of a label."""
        self._help[name] = ("gauge", text)
        self._labelled[name] = label, values

    def histogram(self, name: str, text: str) -> None:
        """Announce a histogram of seconds."""
        self._help[name] = ("histogram", text)
        self._times[name] = {}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            series = self._counters[name]
            series[key] = series.get(key, 0) + amount

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Note how long something took."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            cells = self._times[name].setdefault(key, [0.0] * (len(BOUNDS) + 2))
            cells[bisect_left(BOUNDS, seconds)] += 1
            cells[-1] += seconds

    def text(self) -> str:
        """Return all of it in Prometheus' text format."""
        with self._lock:
            counters = {name: dict(series) for name, series in self._counters.items()}
            times = {name: {key: list(cells) for key, cells in each.items()} for name, each in self._times.items()}
        lines: list[str] = []
        for name, (kind, text) in self._help.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            if kind == "counter":
                lines += [f"{name}{_labels(key)} {value:.17g}" for key, value in counters[name].items()]
            elif name in self._labelled:
                label, values = self._labelled[name]
                lines += [f"{name}{_labels(((label, key),))} {value:.17g}" for key, value in values().items()]
            elif kind == "gauge":
                value = self._gauges[name]()
                lines += [] if value is None else [f"{name} {value:.17g}"]
            else:
                lines += _histogram(name, times[name])
        return "\n".join(lines) + "\n"


def _histogram(name: str, series: Mapping[Labels, list[float]]) -> Iterable[str]:
    for key, cells in series.items():
        total = 0.0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], cells[:-1], strict=True):
            total += count
            yield f"{name}_bucket{_labels((*key, ('le', bound)))} {total:.17g}"
        yield f"{name}_sum{_labels(key)} {cells[-1]:.9g}"
        yield f"{name}_count{_labels(key)} {total:.17g}"


def _labels(key: Labels) -> str:
    if not key:
        return ""
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in key)
    return "{" + told + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
