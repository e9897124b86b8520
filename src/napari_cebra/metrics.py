"""How good an embedding is: the functions of `cebra.sklearn.metrics`."""

from napari_cebra.embedding.consistency import consistency_score
from napari_cebra.embedding.estimator.scores import (
    goodness_of_fit_history,
    goodness_of_fit_score,
    infonce_loss,
    infonce_to_goodness_of_fit,
)

__all__ = [
    "consistency_score",
    "goodness_of_fit_history",
    "goodness_of_fit_score",
    "infonce_loss",
    "infonce_to_goodness_of_fit",
]
