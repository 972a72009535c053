"""What the server says of itself to those who watch over it, in Prometheus' form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from tornado.web import RequestHandler

from .. import __version__
from ..store import list_runs
from .jobs import jobs

STATES = ("running", "done", "failed", "stopped")


class Figures(Collector):
    """Sessions, runs and jobs, counted when they are asked for; none tells what the data are.

    Parameters
    ----------
    store
        Folder of the stored runs.
    sessions
        Gives how many sessions are open.
    """

    def __init__(self, store: Path, sessions: Callable[[], int]) -> None:
        self.store = store
        self.sessions = sessions
        self.opened = 0

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("gpu_pipeline", "The program.", {"version": __version__})
        yield GaugeMetricFamily("gpu_pipeline_sessions", "Open pages.", self.sessions())
        yield CounterMetricFamily("gpu_pipeline_sessions_opened", "Pages opened since the start.", self.opened)
        yield GaugeMetricFamily("gpu_pipeline_runs", "Stored runs.", len(list_runs(self.store)))
        counts = Counter[str](job.status().state for job in jobs(self.store))
        family = GaugeMetricFamily("gpu_pipeline_jobs", "Jobs that the store remembers.", labels=["state"])
        for state in STATES:
            family.add_metric([state], counts[state])
        yield family


def registry(figures: Figures) -> CollectorRegistry:
    """The figures together with the process's own: memory, processor time, open files."""
    both = CollectorRegistry()
    both.register(figures)
    ProcessCollector(registry=both)
    return both


class MetricsHandler(RequestHandler):
    """Answers `/metrics`."""

    def initialize(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def get(self) -> None:
        encode, kind = choose_encoder(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", kind)
        self.write(encode(self.registry))
