"""What a failed build says, for the reasons that builds fail for."""

from __future__ import annotations

import pytest
from tools_workshop import Workshop

from palisade.tools.failure import remedy_for, telling_lines


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("write /home/u/.cache/go-build/x: no space left on device", "free some space"),
        ("example.org/huge: /usr/lib/go/compile: signal: killed", "free some memory, or set GOFLAGS=-p=1"),
        ("verifying example.org/m@v1.0.0: checksum mismatch", "restore tools/demo/go.mod and go.sum from git"),
        ("main.go:3:8: missing go.sum entry for module", "restore tools/demo/go.mod and go.sum from git"),
        (
            "go: example.org/m@v1.0.0: dial tcp: lookup proxy.example: no such host",
            "make the Go module proxy reachable",
        ),
        ("reading https://proxy.example/m/@v/v1.0.0.zip: 403 Forbidden", "make the Go module proxy reachable"),
        ("./main.go:5:15: undefined: printline", "read the log and correct tools/demo/"),
    ],
)
def test_the_remedy_fits_the_reason(workshop: Workshop, line: str, remedy: str) -> None:
    assert remedy_for([line], workshop.demo).startswith(remedy)


def test_progress_is_not_among_the_last_lines() -> None:
    header = "demo v1.2.3 with go1.26\ngo build ...\n"
    log = "go: downloading example.org/m v1.0.0\nruntime\n# demo\n./a.go:1:1: bad\nfmt\n"
    assert telling_lines(header + log) == ["# demo", "./a.go:1:1: bad"]


def test_a_long_log_is_cut_to_its_end() -> None:
    log = "\n".join(["demo", "go build", *(f"line {number}" for number in range(100))])
    assert telling_lines(log) == [f"line {number}" for number in range(90, 100)]
