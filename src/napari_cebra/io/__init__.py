"""Files in, files out: one module per format family."""

from napari_cebra.io.caiman import read_caiman
from napari_cebra.io.export import write_decoded_mp4, write_decoded_tiff
from napari_cebra.io.export_tables import (
    DECODED_COLUMNS,
    write_decoded_csv,
    write_embedding,
    write_traces_csv,
)
from napari_cebra.io.found_stack import StackInfo
from napari_cebra.io.imagej_rois import read_imagej_rois, write_imagej_rois
from napari_cebra.io.label_images import read_label_image, write_label_image
from napari_cebra.io.minian import read_minian
from napari_cebra.io.movies import Movie, open_movie
from napari_cebra.io.nwb_rois import read_nwb_rois
from napari_cebra.io.roi_file import RoiFile
from napari_cebra.io.roi_kinds import ROI_KINDS, RoiKind, read_roi_file, recognise_rois
from napari_cebra.io.sniff import FileKind, Sniffed, sniff
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.spikes import SpikeRecording, bin_spikes, read_spikes
from napari_cebra.io.stack import Stack
from napari_cebra.io.stacks import inspect_stack, open_stack, stack_from_array
from napari_cebra.io.suite2p import Suite2pFolder, read_suite2p
from napari_cebra.io.tables import EventTable, Table, read_table
from napari_cebra.io.trace_matrix import TraceMatrix, read_trace_matrix, read_traces
from napari_cebra.recording.atomic import replacing

__all__ = [
    "DECODED_COLUMNS",
    "ROI_KINDS",
    "EventTable",
    "FileKind",
    "Movie",
    "RoiFile",
    "RoiKind",
    "Sniffed",
    "SourceFile",
    "SpikeRecording",
    "Stack",
    "StackInfo",
    "Suite2pFolder",
    "Table",
    "TraceMatrix",
    "bin_spikes",
    "inspect_stack",
    "open_movie",
    "open_stack",
    "read_caiman",
    "read_imagej_rois",
    "read_label_image",
    "read_minian",
    "read_nwb_rois",
    "read_roi_file",
    "read_spikes",
    "read_suite2p",
    "read_table",
    "read_trace_matrix",
    "read_traces",
    "recognise_rois",
    "replacing",
    "sniff",
    "stack_from_array",
    "write_decoded_csv",
    "write_decoded_mp4",
    "write_decoded_tiff",
    "write_embedding",
    "write_imagej_rois",
    "write_label_image",
    "write_traces_csv",
]
