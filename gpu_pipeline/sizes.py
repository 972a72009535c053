"""Whether there are rows and columns enough for what a recipe asks."""

from __future__ import annotations

import numpy as np

from .datasets import Dataset
from .errors import InputError
from .methods import PCA, TSNE, UMAP
from .recipe import Recipe


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Hold the settings against the data, before anything is computed.

    Raises
    ------
    InputError
        If a setting asks for more than there are rows or columns.
    """
    check_shape(recipe, dataset.name, (dataset.X.shape[0], dataset.X.shape[1]), dataset.image_shape)


def check_shape(recipe: Recipe, name: str, shape: tuple[int, int], image_shape: tuple[int, int] | None) -> None:
    """The same, of rows that are not read yet: `shape` is how many are embedded, and their columns."""
    n, columns = shape
    embed = recipe.embed
    if n < 3:
        raise InputError(f"{name} has {n} rows, which are too few for a map: take 3 or more.")
    if isinstance(embed, PCA) and columns < 2:
        raise InputError(f"{name} has one column, but a map by PCA needs two: use --method tsne or umap.")
    if isinstance(embed, PCA) and recipe.reduce.n_components == 1:
        raise InputError("a map by PCA needs two components, but reduce leaves one: use --pca 2 or more, or --pca 0.")
    if isinstance(embed, TSNE) and n < 3 * embed.perplexity:
        fits = f" or --perplexity {n // 3} or less" if n >= 6 else ""
        raise InputError(
            f"{n:,} rows are too few for perplexity {embed.perplexity:g}, which needs at least "
            f"{int(np.ceil(3 * embed.perplexity)):,}: take more rows{fits}."
        )
    if isinstance(embed, UMAP) and n < 4:
        raise InputError(f"{name} has {n} rows, which are too few for a map by UMAP: take 4 or more.")
    if isinstance(embed, UMAP) and embed.n_neighbors >= n:
        raise InputError(
            f"n_neighbors is {embed.n_neighbors} but there are only {n:,} rows: lower it or take more rows."
        )
    if recipe.cluster.n_clusters > n:
        raise InputError(
            f"n_clusters is {recipe.cluster.n_clusters} but there are only {n:,} rows: lower it or take more rows."
        )
    if recipe.preprocess == "deskew" and image_shape is None:
        raise InputError(f"deskew needs images, but {name} has no image shape: give it one or use preprocess none.")
