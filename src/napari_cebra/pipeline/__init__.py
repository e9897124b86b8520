"""The steps in order under one typed config: what window, command and script call."""

from napari_cebra.pipeline.align import Aligned, LogAlignment, aligning
from napari_cebra.pipeline.align_config import AlignConfig, LogConfig, TimesConfig
from napari_cebra.pipeline.attribution import RoiShares, roi_shares
from napari_cebra.pipeline.behaviour import attach_movie, attach_table
from napari_cebra.pipeline.config import (
    STIMULUS,
    DecodingConfig,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
)
from napari_cebra.pipeline.decode import DecodeReport, decode
from napari_cebra.pipeline.decoded_table import decoded_columns
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.embedding_result import (
    Display,
    Embedding,
    TrainingLog,
    display_coordinates,
)
from napari_cebra.pipeline.encoder_shape import EncoderConfig, EncoderShape
from napari_cebra.pipeline.fit import Fit, FitReport, fit
from napari_cebra.pipeline.hypotheses import (
    Comparison,
    ComparisonReport,
    compare_hypotheses,
)
from napari_cebra.pipeline.hypothesis_table import (
    HypothesisComparison,
    HypothesisRow,
    HypothesisScore,
    Interval,
)
from napari_cebra.pipeline.load import load_recording
from napari_cebra.pipeline.project import (
    Project,
    StackReference,
    open_project,
    relink,
    save_project,
)
from napari_cebra.pipeline.results import (
    embedding_columns,
    write_results,
    write_summary,
)
from napari_cebra.pipeline.roi_traces import (
    RoiTraces,
    program_traces,
    read_rois,
    roi_traces,
    suite2p_traces,
)
from napari_cebra.pipeline.run import Results, exhaust, run
from napari_cebra.pipeline.search import Search, SearchReport, search_settings
from napari_cebra.pipeline.search_result import SearchLine, SearchResult
from napari_cebra.pipeline.summary import correlation_with_truth, summarise
from napari_cebra.pipeline.target import Target

__all__ = [
    "STIMULUS",
    "AlignConfig",
    "Aligned",
    "Comparison",
    "ComparisonReport",
    "DecodeReport",
    "Decoding",
    "DecodingConfig",
    "Display",
    "Embedding",
    "EncoderConfig",
    "EncoderShape",
    "Fit",
    "FitReport",
    "HypothesisComparison",
    "HypothesisRow",
    "HypothesisScore",
    "Interval",
    "LogAlignment",
    "LogConfig",
    "PipelineConfig",
    "Project",
    "Results",
    "RoiShares",
    "RoiTraces",
    "Search",
    "SearchLine",
    "SearchReport",
    "SearchResult",
    "SourceConfig",
    "StackReference",
    "Target",
    "TargetConfig",
    "TimesConfig",
    "TrainingLog",
    "aligning",
    "attach_movie",
    "attach_table",
    "compare_hypotheses",
    "correlation_with_truth",
    "decode",
    "decoded_columns",
    "display_coordinates",
    "embedding_columns",
    "exhaust",
    "fit",
    "load_recording",
    "open_project",
    "program_traces",
    "read_rois",
    "relink",
    "roi_shares",
    "roi_traces",
    "run",
    "save_project",
    "search_settings",
    "suite2p_traces",
    "summarise",
    "write_results",
    "write_summary",
]
