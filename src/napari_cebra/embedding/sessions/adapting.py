"""A trained encoder taken to new recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from napari_cebra.embedding.encoder import build_network
from napari_cebra.embedding.objective import generators
from napari_cebra.embedding.sessions.encoders import MultiEncoder
from napari_cebra.embedding.sessions.session import Session
from napari_cebra.embedding.sessions.training import SessionTraining
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.encoder import Encoder
    from napari_cebra.embedding.sessions.pairs import Ties


def adapt(
    model: Encoder | MultiEncoder,
    sessions: Session | Sequence[Session],
    config: TrainConfig | None = None,
    *,
    sources: Sequence[int] | None = None,
    ties: Ties | None = None,
    exclude_self: bool | None = None,
    full_batch: bool = False,
) -> SessionTraining:
    """Return a training that fits a trained model to new recordings.

    The first layer, which reads the neurons, is new and is trained; all others
    are those of the model and stay as they are (Schneider, Lee & Mathis, Nature
    2023, Extended Data Fig. 7). Several new recordings are trained together.

    Parameters
    ----------
    model : Encoder or MultiEncoder
    sessions : Session or sequence of Session
        The new recordings; any number of ROIs.
    config : TrainConfig, optional
        How to train; what makes the encoder is taken from the model. By default
        all is, with 500 steps.
    sources : sequence of int, optional
        For each new recording the one of the model whose layers it gets; by
        default the same number where there are as many, else the first.
    ties, exclude_self, full_batch
        As of `SessionTraining`.

    Returns
    -------
    SessionTraining
        Its `model` holds one encoder for each new recording.

    Raises
    ------
    InvalidInput
        If a source is not in the model, or the recordings do not fit together.
    """
    sessions = [sessions] if isinstance(sessions, Session) else list(sessions)
    encoders = model.encoders if isinstance(model, MultiEncoder) else (model,)
    if sources is None:
        same = len(encoders) == len(sessions)
        sources = range(len(sessions)) if same else [0] * len(sessions)
    wrong = [k for k in sources if not 0 <= k < len(encoders)]
    if wrong or len(sources) != len(sessions):
        raise InvalidInput(
            f"For {len(sessions)} new recordings give as many sources, each one of the "
            f"{len(encoders)} that the model was trained on, counted from 0; not "
            f"{list(sources)}."
        )
    trained = encoders[0].config
    if config is None:
        config = replace(trained, max_iterations=500, stop_iteration=None)
    config = replace(
        config,
        model_architecture=trained.model_architecture,
        first_kernel=trained.first_kernel,
        num_hidden_units=trained.num_hidden_units,
        output_dimension=trained.output_dimension,
    )
    initial = generators(config.seed, torch.device("cpu")).initial
    networks = []
    for session, k in zip(sessions, sources, strict=True):
        network = build_network(config, session.values.shape[1], initial)
        old = encoders[k].network.state_dict()
        new = network.state_dict()
        own = {f"convs.0.{name}" for name, _ in network.convs[0].named_parameters()}
        network.load_state_dict({n: new[n] if n in own else old[n] for n in new})
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in own)
        networks.append(network)
    return SessionTraining(
        sessions,
        config,
        ties=ties,
        exclude_self=exclude_self,
        full_batch=full_batch,
        networks=networks,
    )
