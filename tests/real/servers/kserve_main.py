"""Serves scikit-learn's digits with KServe's own Python server: `python -m servers.kserve_main PORT VERSION`.

The V1 protocol leaves it to the model what a prediction is, so each model here answers one of the shapes that are in use: `digits` and
`words` labels, `scores` vectors, `size` numbers, `objects` an object with label, score and all scores.
"""

import sys

import kserve
import numpy as np
import uvicorn
from kserve.protocol.rest import server as rest

from . import digits


class OnLoopback(uvicorn.Config):
    """KServe listens on every address and has no option against it."""

    def __init__(self, app, host, **options):
        super().__init__(app, host="127.0.0.1", **options)


class Digits(kserve.Model):
    """A model whose predictions are made by a function of the images."""

    def __init__(self, name, predictions):
        super().__init__(name)
        self.predictions, self.ready = predictions, True

    def predict(self, payload, headers=None, response_headers=None):
        """Answers `{"instances": [image, …]}`."""
        return {"predictions": self.predictions(np.array(payload["instances"], dtype=float))}


def models(version):
    """All models of a version."""
    trained = {name: versions[version] for name, versions in digits.trained().items()}

    def objects(images):
        scores = trained["words"].predict_proba(images)
        rows = zip(trained["words"].predict(images), scores, strict=True)
        return [{"label": str(label), "score": float(row.max()), "scores": row.tolist()} for label, row in rows]

    yield Digits("digits", lambda images: trained["digits"].predict(images).tolist())
    yield Digits("words", lambda images: trained["words"].predict(images).tolist())
    yield Digits("scores", lambda images: trained["digits"].predict_proba(images).tolist())
    yield Digits("size", lambda images: trained["size"].predict(images).tolist())
    yield Digits("objects", objects)


if __name__ == "__main__":
    rest.uvicorn.Config = OnLoopback
    kserve.ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start(list(models(sys.argv[2])))
