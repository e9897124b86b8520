"""The published scikit-learn estimator, on this package's training.

`cebra` holds the class; `fitting` what `fit` does; `parameters` and `inputs` read
what it is given; `pairs` says which rows belong together; `solver` keeps the log;
`files` saves and opens; `scores` judges.
"""

from napari_cebra.embedding.estimator.cebra import CEBRA

__all__ = ["CEBRA"]
