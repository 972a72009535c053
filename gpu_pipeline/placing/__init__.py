"""New rows on a map that stays as it is: what a run keeps for them, and how they are placed.

A t-SNE map takes a new row by the nearest rows that it was made from, and by its own repulsion; a map by PCA takes it
by its axes. Each row is placed alone: its bytes depend neither on the rows it comes with nor on the number of threads.
See docs/placing.md.
"""

from __future__ import annotations

from .parts import Axes, Placed
from .reference import Reference, features_of

__all__ = ["Axes", "Placed", "Reference", "features_of"]
