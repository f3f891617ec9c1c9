"""The JSON Schemas that are published beside the models."""

from edge_lfr.pipeline.reporting.schema_files import DIRECTORY, schema_texts


def test_the_schema_files_are_those_of_the_models() -> None:
    """Every message has its file, and every file is what its model generates today."""
    assert schema_texts() == {path.name: path.read_text() for path in DIRECTORY.iterdir()}
