"""Which rows belong together: how positives are drawn for references."""

from napari_cebra.embedding.pairs.continuous import ContinuousPairs, MixedPairs
from napari_cebra.embedding.pairs.discrete import DiscretePairs
from napari_cebra.embedding.pairs.hybrid import HybridPairs
from napari_cebra.embedding.pairs.movie import MoviePairs, MovieSampler
from napari_cebra.embedding.pairs.rows import Batch, Pairs, Rows, Sampler
from napari_cebra.embedding.pairs.select import pairs_for
from napari_cebra.embedding.pairs.time import TimePairs

__all__ = [
    "Batch",
    "ContinuousPairs",
    "DiscretePairs",
    "HybridPairs",
    "MixedPairs",
    "MoviePairs",
    "MovieSampler",
    "Pairs",
    "Rows",
    "Sampler",
    "TimePairs",
    "pairs_for",
]
