"""The laws of the sizing formula, over all loads that are allowed, and the figures of the mission."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palisade.config_sections import Audit, Registry, Traffic
from palisade.config_values import MAXIMUM_RPS
from palisade.sizing import Sizing, covered_by, scale_for, size

GIB_PER_VCPU = 4


def edges_and(between: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    """Any load, and often one beside a step, where mistakes hide."""
    steps = st.integers(1, MAXIMUM_RPS // 5000).flatmap(
        lambda n: st.sampled_from([n * 5000 - 1, n * 5000, n * 5000 + 1])
    )
    return st.one_of(between, steps.filter(lambda rps: rps <= MAXIMUM_RPS))


LOADS = edges_and(st.integers(1, MAXIMUM_RPS))
MINIMUMS = st.integers(1, 10)
AUDITS = st.builds(
    Audit,
    record_bytes=st.integers(256, 65_536),
    retention_days=st.integers(365, 7_300),
    replicas=st.integers(1, 6),
    compression_ratio=st.decimals(min_value=1, max_value=50, places=2),
)


def sized(rps: int, *, minimum: int = 2, average: int | None = None, audit: Audit | None = None) -> Sizing:
    traffic = Traffic(peak_rps=rps) if average is None else Traffic(peak_rps=rps, average_rps=average)
    return size(traffic, audit or Audit(), Registry(minimum_nodes=minimum))


@pytest.mark.parametrize(
    ("rps", "clusters", "nodes_per_cluster"),
    [
        (1, 1, 3),
        (1_000, 1, 3),
        (5_000, 1, 3),
        (5_001, 1, 3),
        (10_000, 1, 3),
        (10_001, 1, 4),
        (25_000, 1, 6),
        (50_000, 1, 11),
        (50_001, 2, 7),
        (100_000, 2, 11),
        (100_001, 3, 8),
        (120_000, 3, 9),
        (2_500_000, 50, 11),
        (10_000_000, 200, 11),
    ],
)
def test_worked_examples(rps: int, clusters: int, nodes_per_cluster: int) -> None:
    sizing = sized(rps)
    nodes = clusters * nodes_per_cluster
    assert (sizing.scale.clusters, sizing.scale.nodes_per_cluster, sizing.scale.nodes) == (
        clusters,
        nodes_per_cluster,
        nodes,
    )
    assert (sizing.vcpu, sizing.memory_gib) == (4 * nodes, 16 * nodes)


def test_availability_asks_for_nodes_whatever_the_load() -> None:
    assert [sized(100, minimum=minimum).scale.nodes for minimum in (1, 2, 3, 10)] == [2, 3, 4, 11]


def test_a_cluster_covers_its_50000_and_no_more_however_many_nodes_it_has() -> None:
    assert scale_for(1_000, minimum_nodes=12).covered_rps == 50_000


@pytest.mark.parametrize(
    ("nodes", "most_clusters", "rps"),
    [(0, 1, 0), (1, 1, 0), (3, 1, 10_000), (12, 1, 50_000), (3, 50, 10_000), (13, 2, 50_000), (27, 3, 120_000)],
)
def test_what_listed_nodes_carry(nodes: int, most_clusters: int, rps: int) -> None:
    assert covered_by(nodes, most_clusters) == rps


@given(rps=LOADS, minimum=MINIMUMS)
def test_the_sized_nodes_carry_the_load(rps: int, minimum: int) -> None:
    scale = sized(rps, minimum=minimum).scale
    assert covered_by(scale.nodes, scale.clusters) >= rps


@given(rps=LOADS, minimum=MINIMUMS)
def test_never_under_4_vcpu_and_16_gib_per_5000_rps(rps: int, minimum: int) -> None:
    sizing = sized(rps, minimum=minimum)
    assert sizing.vcpu * 5_000 >= 4 * rps
    assert sizing.memory_gib * 5_000 >= 16 * rps
    assert sizing.memory_gib == GIB_PER_VCPU * sizing.vcpu


@given(rps=LOADS, minimum=MINIMUMS)
def test_any_one_node_of_every_cluster_may_be_lost(rps: int, minimum: int) -> None:
    scale = sized(rps, minimum=minimum).scale
    per_cluster = Fraction(rps, scale.clusters)
    assert (scale.nodes_per_cluster - 1) * 5_000 >= per_cluster


@given(rps=LOADS, minimum=MINIMUMS)
def test_no_node_more_than_the_load_the_minimum_and_the_spare_ask_for(rps: int, minimum: int) -> None:
    scale = sized(rps, minimum=minimum).scale
    without_one = scale.nodes_per_cluster - 2
    assert without_one < minimum or without_one * 5_000 * scale.clusters < rps


@given(rps=LOADS, minimum=MINIMUMS)
def test_load_is_split_at_50000_per_cluster_and_not_before(rps: int, minimum: int) -> None:
    clusters = sized(rps, minimum=minimum).scale.clusters
    assert 50_000 * (clusters - 1) < rps <= 50_000 * clusters


@given(first=LOADS, second=LOADS, minimum=MINIMUMS)
def test_more_load_never_needs_less(first: int, second: int, minimum: int) -> None:
    less, more = sized(min(first, second), minimum=minimum), sized(max(first, second), minimum=minimum)
    assert less.scale.nodes <= more.scale.nodes
    assert less.scale.clusters <= more.scale.clusters
    assert less.audit_storage_bytes <= more.audit_storage_bytes


@given(rps=LOADS.filter(lambda rps: rps < MAXIMUM_RPS), minimum=MINIMUMS)
def test_the_next_step_is_the_first_load_that_needs_more_nodes(rps: int, minimum: int) -> None:
    sizing = sized(rps, minimum=minimum)
    step = sizing.next_step
    assert step.rps > rps
    assert step.scale.nodes > sizing.scale.nodes
    assert sized(step.rps - 1, minimum=minimum).scale == sizing.scale
    if step.rps <= MAXIMUM_RPS:
        assert sized(step.rps, minimum=minimum).scale == step.scale


@given(rps=LOADS, minimum=MINIMUMS)
def test_the_next_cluster_is_added_at_the_first_load_that_needs_it(rps: int, minimum: int) -> None:
    sizing = sized(rps, minimum=minimum)
    assert sizing.next_cluster.rps >= sizing.next_step.rps
    assert sizing.next_cluster.scale.clusters == sizing.scale.clusters + 1
    assert sized(sizing.next_cluster.rps - 1, minimum=minimum).scale.clusters == sizing.scale.clusters


@given(rps=LOADS, audit=AUDITS)
def test_audit_storage_holds_every_record_of_the_retention_period(rps: int, audit: Audit) -> None:
    sizing = sized(rps, average=rps, audit=audit)
    exact = Fraction(rps * 86_400 * audit.retention_days * audit.record_bytes * audit.replicas) / Fraction(
        audit.compression_ratio
    )
    assert exact <= sizing.audit_storage_bytes < exact + 1
    assert Decimal(0) <= sizing.audit_storage_tib - Decimal(sizing.audit_storage_bytes) / 2**40 < Decimal("0.001")


@given(
    audit=AUDITS,
    change=st.sampled_from(["record_bytes", "retention_days", "replicas"]),
    more=st.integers(1, 1000),
)
def test_more_records_bytes_days_or_copies_never_take_less_storage(audit: Audit, change: str, more: int) -> None:
    larger = audit.model_copy(update={change: getattr(audit, change) + more})
    assert sized(5_000, audit=larger).audit_storage_bytes > sized(5_000, audit=audit).audit_storage_bytes


@given(audit=AUDITS, better=st.decimals(min_value=1, max_value=10, places=2))
def test_better_compression_never_takes_more_storage(audit: Audit, better: Decimal) -> None:
    denser = audit.model_copy(update={"compression_ratio": audit.compression_ratio * better})
    assert sized(5_000, audit=denser).audit_storage_bytes <= sized(5_000, audit=audit).audit_storage_bytes


def test_a_terabyte_by_hand() -> None:
    audit = Audit(record_bytes=1000, retention_days=365, replicas=1, compression_ratio=Decimal(1))
    sizing = sized(1000, average=100, audit=audit)
    assert sizing.audit_storage_bytes == 100 * 31_536_000 * 1000
    assert sizing.audit_storage_tib == Decimal("2.869")
