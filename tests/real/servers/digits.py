"""Models of scikit-learn: handwritten digits as a number, as a word, and as a regression. Version 2 of each is worse than version 1.

`digits` is a classifier (outputs `predict` and `predict_proba`), `words` the same with class names for labels, `size` a regression.
"""

import functools
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression

WORDS = np.array("zero one two three four five six seven eight nine".split())
TRAINING = {"1": 1400, "2": 150}
"""Images that each version has learned from; those from 1400 on neither has seen."""


@functools.cache
def trained():
    """{name: {version: model}}, always the same."""
    images, digits = load_digits(return_X_y=True)
    models = {"digits": {}, "words": {}, "size": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for version, count in TRAINING.items():
            models["digits"][version] = LogisticRegression(max_iter=100).fit(images[:count], digits[:count])
            models["words"][version] = LogisticRegression(max_iter=100).fit(images[:count], WORDS[digits[:count]])
            models["size"][version] = LinearRegression().fit(images[:count], digits[:count])
    return models


@functools.cache
def unseen():
    """Images that no model has seen: rows of 64 whole numbers from 0 to 16."""
    images, _ = load_digits(return_X_y=True)
    return images[TRAINING["1"]:]


@functools.cache
def telling():
    """The numbers of three unseen images: about the first the versions' probabilities are nearly the same, about the second their labels
    alone, about the last not even these."""
    models, images = trained()["digits"], unseen()
    apart = np.abs(models["1"].predict_proba(images) - models["2"].predict_proba(images)).max(axis=1)
    agree = models["1"].predict(images) == models["2"].predict(images)
    return int(apart.argmin()), int(np.where(agree, apart, 0).argmax()), int(np.where(agree, 0, apart).argmax())
