"""What runs by Dask cost, as a table in a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scale

LINE = {
    "rows": 1_000_000,
    "workers": 2,
    "landmarks": 100_000,
    "seconds": {
        "survey": 50.0,
        "embed": 40.0,
        "place": 100.0,
        "cluster": 5.0,
        "score": 20.0,
        "table": 2.0,
        "all": 220.0,
    },
    "rows_a_second": {"survey": 20_000.0, "place": 10_000.0, "score": 50_000.0, "table": 500_000.0, "all": 4545.0},
    "memory": {"parent": 10**9, "workers": 2 * 10**9, "all": 2_900_000_000, "flag": "4GB"},
    "passes": 10,
    "scores": dict.fromkeys(scale.SHOWN, 0.5),
    "sizes": {"neighbor_recall": 2_500},
    "machine": {"cpu": "A processor", "threads": 2},
}


def test_a_run_is_a_line_of_each_table() -> None:
    text = scale.table([LINE])
    assert "On 2 threads of A processor, 100,000 landmarks." in text
    # k-means: a million rows, ten passes, five seconds.
    assert "| 1,000,000 | 2 | 20,000 | 40 | 10,000 | 2,000,000 | 50,000 | 500,000 | 220 | 2.90 of 4GB |" in text
    assert "| 1,000,000 | 2 | 0.500 | 0.500 | 0.500 | 0.500 | 0.500 | 2,500 |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| rows | workers | survey")}
    assert widths == {11}


def test_it_goes_to_its_place(tmp_path: Path) -> None:
    results, document = tmp_path / "r.jsonl", tmp_path / "d.md"
    results.write_text(json.dumps(LINE) + "\n")
    document.write_text("before\n<!-- scale:runs -->\nold\n<!-- /scale -->\nafter\n")
    for _ in range(2):
        scale.main(["--write", str(results), str(document)])
        text = document.read_text()
        assert text.startswith("before\n<!-- scale:runs -->\nOn 2 threads")
        assert text.endswith("|\n<!-- /scale -->\nafter\n")
        assert "old" not in text
    document.write_text("no place")
    with pytest.raises(SystemExit, match="0 places"):
        scale.main(["--write", str(results), str(document)])
    assert "<!-- scale:runs -->" in (scale.ROOT / "docs" / "scale.md").read_text()
