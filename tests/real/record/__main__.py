"""Records anew the answers of the origins named, or of all of them."""

import importlib
import pathlib
import sys
import tempfile

PROJECT = pathlib.Path(__file__).parents[3]
sys.path[:0] = [str(PROJECT / "tests/real"), str(PROJECT / "tests/e2e")]

from record.answers import Recorder  # noqa: E402

ORIGINS = ["triton", "mlserver", "llama", "openai-schema", "kserve"]


def main(chosen):
    """Records each origin; ends with a message if one is unknown."""
    if unknown := set(chosen) - set(ORIGINS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ORIGINS)}")
    for origin in chosen or ORIGINS:
        recorder = Recorder(PROJECT / "tests/data/answers" / origin)
        with tempfile.TemporaryDirectory(prefix="gnomon-record-") as folder:
            importlib.import_module("record." + origin.replace("-", "_")).record(recorder, pathlib.Path(folder))
        print(f"{origin}: {sum(1 for _ in recorder.folder.iterdir())} files")


main(sys.argv[1:])
