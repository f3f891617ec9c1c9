"""File and environment to one configuration, and what a mistake is answered with."""

from pathlib import Path

import pytest

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import MAX_FILE_BYTES, load_config
from edge_lfr.errors import ConfigError
from edge_lfr.terms import Mode

MINIMAL = """
mode = "training"
force = "anytown"
device = "van-1"
[[cameras]]
id = "north"
source = "clip.mp4"
[reporting.broker]
host = "127.0.0.1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edge-lfr.toml"
    path.write_text(MINIMAL)
    return path


def refusal(path: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return caught.value.diagnostics()


def test_a_minimal_file_loads(file: Path) -> None:
    """What has a default may be left out."""
    config = load_config(file, {})
    assert Mode.TRAINING == config.mode
    assert type(config) is ApplianceConfig


def test_each_mode_has_its_own_folder(file: Path) -> None:
    """What training leaves behind is never taken for what an operation needs, nor the other way round."""
    training = load_config(file, {})
    operational = load_config(file, {"EDGE_LFR__MODE": "operational"})
    assert Mode.OPERATIONAL is operational.mode
    assert training.state_directory == operational.state_directory
    assert {"training", "operational"} == {training.mode_directory.name, operational.mode_directory.name}


def test_a_variable_overrides_the_file(file: Path) -> None:
    """Section and field are joined by two underscores."""
    config = load_config(file, {"EDGE_LFR__DECISION__REQUIRED_HITS": "3", "EDGE_LFR__DEVICE": "van-2", "OTHER": "1"})
    assert (3, "van-2") == (config.decision.required_hits, config.device)


def test_a_variable_leaves_its_neighbours_alone(file: Path) -> None:
    """An override of one field keeps what the file says of the others in its section."""
    config = load_config(file, {"EDGE_LFR__REPORTING__BROKER__PORT": "1883"})
    assert ("127.0.0.1", 1883) == (config.reporting.broker.host, config.reporting.broker.port)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("clip.mp4", "{folder}/clip.mp4"),
        ("pictures/", "{folder}/pictures/"),
        ("existing", "{folder}/existing/"),
        ("../clip.mp4", "{parent}/clip.mp4"),
        ("/media/clip.mp4", "/media/clip.mp4"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://u:p@h/x", "rtsp://u:p@h/x"),
    ],
)
def test_a_relative_source_means_the_files_folder(file: Path, source: str, expected: str) -> None:
    """Files and folders are resolved, addresses and devices are left alone, a folder keeps its stroke."""
    (file.parent / "existing").mkdir()
    file.write_text(MINIMAL.replace("clip.mp4", source))
    found = load_config(file, {}).cameras[0].source.get_secret_value()
    assert expected.format(folder=file.parent, parent=file.parent.parent) == found


def test_relative_paths_mean_the_files_folder(file: Path) -> None:
    """Every field that is a path is resolved, sections below included."""
    file.write_text(f'state_directory = "state"\n{MINIMAL}ca_file = "tls/ca.pem"\n')
    config = load_config(file, {})
    assert (file.parent / "state", file.parent / "tls/ca.pem") == (
        config.state_directory,
        config.reporting.broker.ca_file,
    )


def test_a_path_of_a_variable_means_the_present_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on any command line."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert elsewhere / "s" == load_config(file, {"EDGE_LFR__STATE_DIRECTORY": "s"}).state_directory


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('device = "van-1"', 'device = "Van 1"', ["device: found 'Van 1'", "allowed: text like"]),
        ('device = "van-1"', "", ["device: missing"]),
        ('mode = "training"', 'mode = "live"', ["mode: found 'live'", "allowed: training, operational"]),
        ('device = "van-1"', 'device = "training"', ["device: found 'training', which is no name"]),
        ('force = "anytown"', 'force = "operational"', ["force: found 'operational', which is no name"]),
        ('id = "north"', 'id = "north"\nzone = [[0, 0], [0, 1.5], [1, 1]]', ["cameras[0].zone[1][1]: found 1.5"]),
        (
            'host = "127.0.0.1"',
            'host = "127.0.0.1"\nport = 70000',
            ["reporting.broker.port: found 70000", "1 to 65535"],
        ),
        ('host = "127.0.0.1"', 'host = "control"', ["a broker on another machine needs TLS"]),
        ("[reporting.broker]", "[decision]\nhits = 1\n[reporting.broker]", ["decision.hits: no such field", "margin"]),
        ("[reporting.broker]", "[quality]\npitch_range = [0.8, 0.2]\n[reporting.broker]", ["pitch_range: the lower"]),
        ('host = "127.0.0.1"', 'host = "127.0.0.1"\nreconnect_s = [9, 1]', ["reconnect_s: the first wait"]),
        (
            "[reporting.broker]",
            "[tracking]\nmin_continuing_score = 0.9\n[reporting.broker]",
            ["tracking.min_continuing_score: higher than detection.min_detection_score"],
        ),
        (
            "[reporting.broker]",
            "[looks]\nmax_looks = 3\n[decision]\nrequired_hits = 3\n[reporting.broker]",
            ["looks.max_looks: 3 is not more than decision.required_hits, which is 3"],
        ),
    ],
)
def test_a_mistake_is_named(file: Path, before: str, after: str, words: list[str]) -> None:
    """The file, the field, what was found and what is allowed."""
    file.write_text(MINIMAL.replace(before, after))
    text = refusal(file)
    assert all(word in text for word in [str(file), *words]), text


def test_room_for_the_margins_look_is_enough(file: Path) -> None:
    """One look more than the required hits."""
    file.write_text(f"{MINIMAL}[looks]\nmax_looks = 4\n[decision]\nrequired_hits = 3\n")
    assert 4 == load_config(file, {}).looks.max_looks


def test_all_mistakes_are_named_at_once(file: Path) -> None:
    """One run tells everything, and a list is not blamed for its items."""
    file.write_text(MINIMAL.replace('"van-1"', "1").replace('source = "clip.mp4"', ""))
    lines = refusal(file).splitlines()
    assert 3 == len(lines), lines


def test_a_wrong_variable_is_named_as_such(file: Path) -> None:
    """Whoever set the variable looks for its name, not for the file's line."""
    text = refusal(file, {"EDGE_LFR__DECISION__MARGIN": "7"})
    assert text.startswith("variable EDGE_LFR__DECISION__MARGIN: decision.margin: found '7'; allowed: from 0.0 to 0.5")


@pytest.mark.parametrize("name", ["EDGE_LFR__DECISION__MARGN", "EDGE_LFR__DECISON__MARGIN"])
def test_a_misspelt_variable_is_refused(file: Path, name: str) -> None:
    """An override that overrides nothing would deceive."""
    assert name in refusal(file, {name: "0.1"})


def test_a_list_in_a_variable_is_json(file: Path) -> None:
    """What is no JSON is refused without showing it: cameras hold credentials."""
    text = refusal(file, {"EDGE_LFR__CAMERAS": "[{rtsp://u:hush@h/x"})
    assert "EDGE_LFR__CAMERAS" in text
    assert "hush" not in text


@pytest.mark.parametrize(
    "line",
    [
        'source = "http://u:hush@h/x"',
        'source = ["hush"]',
        "source = {hush = 1}",
        'source = "x"\nsorce = "rtsp://u:hush@h/x"',
        'source = "x"\n[cameras.hidden]\npassword = "hush"',
    ],
)
def test_a_secret_is_never_shown(file: Path, line: str) -> None:
    """Neither a secret's wrong value nor the value of an unknown field stands in a message."""
    file.write_text(MINIMAL.replace('source = "clip.mp4"', line))
    assert 'hush"' not in refusal(file).replace("'", '"')
    assert "hush@" not in refusal(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'mode = "training"\nforce = \xff\n', "line 2: not UTF-8"),
        (b'mode = "training"\nforce == 1\n', "line 2"),
        (b"", "mode: missing"),
        (b"#" * (MAX_FILE_BYTES + 1), "larger than"),
    ],
)
def test_foreign_bytes_are_refused(file: Path, content: bytes, words: str) -> None:
    """Another encoding, another language, nothing, or too much."""
    file.write_bytes(content)
    assert words in refusal(file)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """With the command that writes one."""
    assert "edge-lfr config example" in refusal(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What cannot be read is an error of ours, never the system's."""
    assert "cannot be read" in refusal(tmp_path)


TLS = """
ca_file = "tls/ca.pem"
certificate_file = "credential:edge-lfr.broker-cert"
key_file = "credential:edge-lfr.broker-key"
"""


def test_a_credential_is_a_path_where_the_service_manager_laid_it(file: Path) -> None:
    """In the service it is the manager's folder; other commands of the same machine mean the same file."""
    file.write_text(MINIMAL + TLS)
    broker = load_config(file, {"CREDENTIALS_DIRECTORY": "/run/credentials/x"}).reporting.broker
    assert Path("/run/credentials/x/edge-lfr.broker-key") == broker.key_file
    assert file.parent / "tls" / "ca.pem" == broker.ca_file
    outside = load_config(file, {}).reporting.broker
    assert Path("/run/credentials/edge-lfr.service/edge-lfr.broker-cert") == outside.certificate_file


@pytest.mark.parametrize("name", ["", "..", "../kek", "a/b", "a b"])
def test_a_credential_cannot_name_another_folder(file: Path, name: str) -> None:
    """What the manager handed over lies in one folder, and a name does not lead out of it."""
    file.write_text(MINIMAL + TLS.replace("edge-lfr.broker-key", name))
    assert "credential" in refusal(file)
