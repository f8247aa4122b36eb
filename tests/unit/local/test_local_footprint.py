from __future__ import annotations

import json
from pathlib import Path

from palisade.local.firewall_traces import Chain
from palisade.local.footprint import Footprint
from palisade.local.mounts import mounts_below, parse_mounts, remove_tree

FOOTPRINT = Footprint(
    settings={"ip_forward": "0", "conf/all/forwarding": "0"},
    interfaces=frozenset({"lo", "eth0"}),
    chains=frozenset({Chain("inet", "filter"), Chain("inet", "filter", "input")}),
    directories=frozenset({Path("/run/netns")}),
    namespaces_mounted=False,
)


def test_a_footprint_survives_being_written_down() -> None:
    text = json.dumps(FOOTPRINT.to_document())
    read = Footprint.from_document(json.loads(text))
    assert read == FOOTPRINT
    assert list(read.settings) == ["ip_forward", "conf/all/forwarding"], "the first one sets the others: order matters"
    assert json.dumps(read.to_document()) == text


def test_mount_points_are_read_with_their_odd_characters() -> None:
    text = (
        "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "40 22 0:30 / /home/a\\040b/c\\134d rw shared:1 - tmpfs tmpfs rw\n"
        "41 40 0:31 / /home/a\\040b/c\\134d/e rw - overlay overlay rw,lowerdir=/x\n"
    )
    assert parse_mounts(text) == [Path("/"), Path("/home/a b/c\\d"), Path("/home/a b/c\\d/e")]


def test_a_tree_without_mounts_is_removed_and_a_missing_one_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "tree/below").mkdir(parents=True)
    assert mounts_below(tmp_path) == []
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
