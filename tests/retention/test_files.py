"""Which files are searched."""

from pathlib import Path

from retention.rig import files_in


def test_each_file_is_searched_once(tmp_path: Path) -> None:
    """The appliance's folder may lie where programs leave files; what is new there is searched as well."""
    appliance = tmp_path / "appliance"
    (appliance / "state").mkdir(parents=True)
    own = [appliance / "daemon.log", appliance / "state" / "outbox"]
    beside = [tmp_path / "core", tmp_path / "other" / "dump"]
    beside[1].parent.mkdir()
    for path in (*own, *beside):
        path.write_bytes(b"x")
    assert sorted([*own, *beside]) == sorted(files_in(appliance, 0.0, [tmp_path]))
    assert sorted(own) == sorted(files_in(appliance, beside[1].stat().st_mtime + 1.0, [tmp_path]))
