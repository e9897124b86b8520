"""Phase correlation of many frames with one template at once.

The method is that of Kuglin & Hines (1975, Proc. IEEE Conf. Cybernetics and
Society, 163): of the cross-power spectrum only the phase is kept, so that
uneven light and bright cells do not pull at the peak. Frequencies count by how
far the template stands above the noise there, and by a Gaussian low-pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from napari_cebra.traces.motion.peak import highest, refined

_TAPER = 0.1  # share of each side over which the border fades
_TINY = 1e-12
_FLAT = 1e-8  # strength relative to the template's, below which it is round-off
_FAR = 0.01  # share of the side beyond which a shift is looked for again
_NEAR = 2  # pixels of a picture within which a shift is looked for again


@dataclass(frozen=True, eq=False)
class Template:
    """What pictures are compared with; made by `PhaseCorrelation.template`.

    Parameters
    ----------
    weights : (N, K) complex64
        By which the phases of a picture are multiplied.
    spread : float tensor
        Standard deviation of their correlation with a picture that has nothing
        in common with the template.
    matched : (N, K) complex64
        By which a spectrum is multiplied for its correlation with the template.
    least : float tensor
        Strength of a picture below which it is round-off.
    """

    weights: torch.Tensor
    spread: torch.Tensor
    matched: torch.Tensor
    least: torch.Tensor


@dataclass(frozen=True, eq=False)
class Located:
    """Where n pictures stand relative to a template.

    Parameters
    ----------
    shifts : (n, 2) float64
        Displacement in pixels of the stack (y, x).
    confidence : (n,) float64
        Height of the peak in units of `Template.spread`.
    likeness : (n,) float64
        Correlation (Pearson's r) with the template, in place.
    """

    shifts: np.ndarray
    confidence: np.ndarray
    likeness: np.ndarray


class PhaseCorrelation:
    """Spectra of pictures of one size, and shifts between them.

    Parameters
    ----------
    size : (N, M)
        Of the pictures, binned.
    factor : int
        Pixels of the stack per pixel of a picture.
    reach : float
        Largest shift looked for, in pixels of the stack.
    smooth_px, high_pass_px : float
        As in `MotionSettings`, in pixels of the stack.
    device : torch.device
    """

    def __init__(
        self,
        size: tuple[int, int],
        factor: int,
        reach: float,
        smooth_px: float,
        high_pass_px: float,
        device: torch.device,
    ) -> None:
        self.size, self.factor, self.device = size, factor, device
        # One more than asked for, so that a peak at the limit is seen as such.
        self.reach = [int(min(reach // factor + 1, (n - 1) // 2 - 1)) for n in size]
        self.limit = reach
        y, x = (torch.from_numpy(_taper(n)) for n in size)
        self.taper = (y[:, None] * x).float().to(device)
        self.fy = torch.fft.fftfreq(size[0], device=device)
        self.fx = torch.fft.rfftfreq(size[1], device=device)
        angle = (self.fy[:, None] ** 2 + self.fx**2) * (2 * np.pi / factor) ** 2
        self.filter = torch.exp(-0.5 * angle * smooth_px**2)
        if high_pass_px:
            self.filter *= 1 - torch.exp(-0.5 * angle * high_pass_px**2)
        # Each column of a real picture's spectrum stands for two, but the first
        # and, where their number is even, the last.
        self.twice = torch.full((self.fx.numel(),), 2.0, device=device)
        self.twice[0] = 1
        if size[1] % 2 == 0:
            self.twice[-1] = 1

    @property
    def n_places(self) -> int:
        """Number of shifts among which the highest peak is looked for."""
        return (2 * self.reach[0] + 1) * (2 * self.reach[1] + 1)

    def spectra(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the (..., N, M // 2 + 1) spectra of (..., N, M) pictures."""
        weight = self.taper.sum()
        middle = (pictures * self.taper).sum((-2, -1), keepdim=True) / weight
        found: torch.Tensor = torch.fft.rfft2((pictures - middle) * self.taper)
        return found

    def weights(self, template: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return by what the phases of a picture are multiplied.

        Parameters
        ----------
        template : (..., N, K) complex
            Mean spectrum of pictures in place.
        noise : (..., N, K)
            Power of what differs from picture to picture.
        """
        strength = power(template)
        share = strength / (strength + noise + _TINY)
        phase = template.conj() * torch.rsqrt(strength + _TINY)
        return (phase * share * self.filter).resolve_conj()

    def template(self, mean: torch.Tensor, noise: torch.Tensor) -> Template:
        """Make a template of a mean spectrum; arguments as for `weights`."""
        weights = self.weights(mean, noise)
        area = self.size[0] * self.size[1]
        squared = self.filter**2 * self.twice
        total = (power(mean) * squared).sum() + _TINY
        matched = (mean.conj() * squared * total.rsqrt()).resolve_conj()
        return Template(weights, self.spread(weights) / area, matched, _FLAT * total)

    def spread(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the standard deviation of sums of random phases, so weighted."""
        return (power(weights) * self.twice).sum((-2, -1)).sqrt() + _TINY

    def locate(self, pictures: torch.Tensor, template: Template) -> Located:
        """Find where each of n pictures (n, N, M) stands.

        Those that moved far are cut out again where they stand and compared
        once more: the border that fades stays where it is and would hold the
        estimate back.
        """
        found = self._compare(pictures, template, self.reach)
        whole = self.whole(found.shifts)
        far = np.flatnonzero(np.abs(whole).max(axis=1) > _FAR * min(self.size))
        if far.size:
            at = torch.from_numpy(far).to(self.device)
            moved = moved_by(pictures[at], whole[far])
            near = self._compare(moved, template, [_NEAR, _NEAR])
            sure = (np.abs(near.shifts) < _NEAR * self.factor).all(axis=1)
            far, moved_to = far[sure], whole[far[sure]] * self.factor
            found.shifts[far] = moved_to + near.shifts[sure]
            found.confidence[far] = near.confidence[sure]
            found.likeness[far] = near.likeness[sure]
        return found

    def _compare(
        self, pictures: torch.Tensor, template: Template, reach: list[int]
    ) -> Located:
        spectra = self.spectra(pictures)
        strength = power(spectra)
        shifts, peak = self._match(spectra, strength, template.weights, reach)
        likeness = self._likeness(spectra, strength, template, shifts)
        confidence = (peak / template.spread).double().cpu().numpy()
        return Located(shifts, confidence, likeness)

    def placed(self, pictures: torch.Tensor, shifts: np.ndarray) -> torch.Tensor:
        """Return the spectra of pictures (n, N, M) with their shifts undone."""
        whole = self.whole(shifts)
        rest = shifts - whole * self.factor
        return self.in_place(self.spectra(moved_by(pictures, whole)), rest)

    def whole(self, shifts: np.ndarray) -> np.ndarray:
        """Return shifts in whole pixels of a picture, (n, 2) int."""
        return np.rint(shifts / self.factor).astype(np.int64)

    def _match(
        self,
        spectra: torch.Tensor,
        strength: torch.Tensor,
        weights: torch.Tensor,
        reach: list[int],
    ) -> tuple[np.ndarray, torch.Tensor]:
        """Return the shift (n, 2) of each of n spectra, and its peak (n,)."""
        crossed = spectra * weights
        crossed *= (strength + _TINY).rsqrt_()
        tall, wide = reach
        columns = torch.fft.ifft(crossed, dim=-2)
        columns = torch.cat([columns[:, -tall:], columns[:, : tall + 1]], dim=1)
        rows = torch.fft.irfft(columns, n=self.size[1], dim=-1)
        places = torch.cat([rows[..., -wide:], rows[..., : wide + 1]], dim=-1)
        peak, value = highest(places)
        shifts = refined(places, peak) - [tall, wide]
        return shifts * self.factor, value

    def _likeness(
        self,
        spectra: torch.Tensor,
        strength: torch.Tensor,
        template: Template,
        shifts: np.ndarray,
    ) -> np.ndarray:
        """Return the correlation with the template once shifts are undone, (n,).

        Of the filtered pictures; 0 for a picture without structure.
        """
        down, right = self._turns(shifts)
        shared = (down[:, None] @ (spectra * template.matched) @ right[:, :, None]).real
        squared = (self.filter**2 * self.twice).flatten()
        own = strength.flatten(1) @ squared
        r = shared[:, 0, 0] * torch.rsqrt(own + _TINY)
        return torch.where(own <= template.least, 0, r).double().cpu().numpy()

    def in_place(self, spectra: torch.Tensor, shifts: np.ndarray) -> torch.Tensor:
        """Return the spectra of the pictures with their shifts (n, 2) undone."""
        down, right = self._turns(shifts)
        return spectra * down[:, :, None] * right[:, None, :]

    def _turns(self, shifts: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the phases (n, N) and (n, K) that undo shifts (n, 2)."""
        turns = 2j * np.pi * torch.from_numpy(shifts / self.factor).to(self.device)
        down, right = (
            torch.exp(turns[:, :1] * self.fy),
            torch.exp(turns[:, 1:] * self.fx),
        )
        return down.to(torch.complex64), right.to(torch.complex64)


def power(spectra: torch.Tensor) -> torch.Tensor:
    """Return the squared absolute values."""
    return spectra.real.square().addcmul_(spectra.imag, spectra.imag)


def moved_by(pictures: torch.Tensor, whole: np.ndarray) -> torch.Tensor:
    """Return pictures (n, N, M) as seen from ``(y, x) + whole``.

    Where a picture does not reach, its border is repeated.
    """
    _, height, width = pictures.shape
    down, right = np.abs(whole).max(axis=0).tolist() if len(whole) else (0, 0)
    wide = torch.nn.functional.pad(
        pictures, (right, right, down, down), mode="replicate"
    )
    out = torch.empty_like(pictures)
    for place, picture, (dy, dx) in zip(out, wide, whole.tolist(), strict=True):
        y, x = down + dy, right + dx
        place[:] = picture[y : y + height, x : x + width]
    return out


def _taper(n: int) -> np.ndarray:
    """Fade the border out and in as a cosine."""
    inside = (np.arange(n) + 0.5) / (_TAPER * n)
    share = np.minimum(np.minimum(inside, inside[::-1]), 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * share))
