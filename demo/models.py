"""The two models, and the folders from which MLServer serves them.

Both are small neural networks that tell handwritten digits apart. v2 is what somebody might propose for its size: a quarter of the
neurons, trained on a third of the images. It is nearly as often right as v1, and not on the same images.
"""

import dataclasses
import json
import warnings

import joblib
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

NAME = "digits"
TEST_IMAGES = 400


@dataclasses.dataclass
class Trained:
    """The models by version, each one's percentage of right answers on `images`, and these: 64 whole numbers from 0 to 16 each."""

    models: dict
    right_percent: dict
    images: list


def train():
    """Trains both models, always the same way."""
    pixels, digits = load_digits(return_X_y=True)
    images, unseen, labels, truth = train_test_split(pixels, digits, test_size=TEST_IMAGES, random_state=0, stratify=digits)
    models = {}
    for version, neurons, rows in (("v1", 64, len(images)), ("v2", 16, 500)):
        network = MLPClassifier((neurons,), max_iter=250, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            models[version] = make_pipeline(MinMaxScaler(), network).fit(images[:rows], labels[:rows])
    return Trained(models, {version: 100 * model.score(unseen, truth) for version, model in models.items()}, unseen.astype(int).tolist())


def save(model, version, folder, http_port, grpc_port):
    """Writes what `mlserver start folder` needs to serve this model on loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    server = {
        "host": "127.0.0.1",
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(server, indent=2))
    served = {"name": NAME, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib", "version": version}}
    (folder / "model-settings.json").write_text(json.dumps(served, indent=2))
