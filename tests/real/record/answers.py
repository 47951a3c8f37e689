"""Keeps what was recorded as files of one folder per origin."""


class Recorder:
    """Writes the cases of one origin. Whatever the folder held before is gone: a renamed case must not leave its old files behind."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()

    def pair(self, case, baseline, candidate, request=False):
        """Keeps the answers of both models to one request; with `request` also what the baseline was asked."""
        self.single(f"{case}.baseline", baseline)
        self.single(f"{case}.candidate", candidate)
        if request:
            (self.folder / f"{case}.request").write_bytes(baseline.request)
            (self.folder / f"{case}.request.head").write_text(baseline.request_head())

    def single(self, name, exchange):
        """Keeps one answer."""
        (self.folder / f"{name}.body").write_bytes(exchange.body)
        (self.folder / f"{name}.head").write_text(exchange.head())
