"""The settings of each method: frozen, validated once, the same for every engine.

Defaults stand here and nowhere else. A setting that may be "auto" is resolved here too, so that
every engine is given the same numbers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """What all settings share: they cannot be changed, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def is_light(self, rows: int, columns: int) -> bool:
        """Whether the processors are done before cuML is imported; docs/engines.md has the figures."""
        return False


class PCA(Settings):
    """Principal component analysis.

    Attributes
    ----------
    n_components
        Components to keep, at most the number of columns and rows; 0 keeps all columns as they are.
    """

    method: Literal["pca"] = "pca"
    n_components: Annotated[int, Field(ge=0)] = 50


class TSNE(Settings):
    """t-distributed stochastic neighbour embedding in two dimensions.

    Learning rates are in scikit-learn's convention, whose gradient has the factor 4 of the paper;
    openTSNE's and cuML's figures are four times as large for the same step.

    Attributes
    ----------
    perplexity
        Effective number of neighbours of each point; 3 x perplexity neighbours are used.
    early_exaggeration, early_iterations
        Factor on the affinities in the first phase, and the phase's length; "auto" is 250, at most
        half of all iterations. See `phases`.
    exaggeration
        Factor on the affinities afterwards; 1 is t-SNE, 2 to 4 draw clusters closer together
        (Boehm, Berens & Kobak 2022, JMLR 23:1-32).
    iterations
        Iterations of both phases together.
    learning_rate
        "auto", or one rate for both phases. See `learning_rates`.
    early_momentum, momentum
        Momentum in the first and in the second phase.
    initialization
        "pca": the first two principal components, scaled so that the first has standard deviation
        1e-4 (Kobak & Berens 2019, doi:10.1038/s41467-019-13056-x); "random": normal, 1e-4.
    min_kl_drop
        Stop in the second phase when KL falls by less than this share of itself in 50 iterations
        (after Belkina et al. 2019); 0 runs them all.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9:2579-2605.
    """

    method: Literal["tsne"] = "tsne"
    perplexity: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 30.0
    early_exaggeration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 12.0
    exaggeration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    early_iterations: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    iterations: Annotated[int, Field(ge=1)] = 1000
    learning_rate: Positive | Literal["auto"] = "auto"
    early_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.8
    initialization: Literal["pca", "random"] = "pca"
    min_kl_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _phases(self) -> TSNE:
        if self.early_iterations != "auto" and self.early_iterations > self.iterations:
            raise ValueError(
                f"early_iterations is {self.early_iterations} but there are only {self.iterations} "
                "iterations in all: raise iterations or lower early_iterations"
            )
        return self

    def phases(self) -> tuple[int, int]:
        """Iterations of the early and of the late phase, "auto" resolved."""
        early = min(250, self.iterations // 2) if self.early_iterations == "auto" else self.early_iterations
        return early, self.iterations - early

    def n_neighbors(self) -> int:
        """Neighbours of each point that have an affinity, the point itself not counted."""
        return int(3 * self.perplexity)

    def learning_rates(self, n: int) -> tuple[float, float]:
        """Learning rates of the two phases for `n` points, "auto" resolved.

        Auto is n / exaggeration / 4 in each phase, at least 50 (Belkina et al. 2019,
        doi:10.1038/s41467-019-13055-y, for the first; Linderman & Steinerberger 2019,
        doi:10.1137/18M1216134, for why it is n over the exaggeration in force).
        """
        if self.learning_rate != "auto":
            return self.learning_rate, self.learning_rate
        early, late = (n / factor / 4 for factor in (self.early_exaggeration, self.exaggeration))
        return max(early, 50.0), max(late, 50.0)


class UMAP(Settings):
    """Uniform manifold approximation and projection in two dimensions.

    Attributes
    ----------
    n_neighbors
        Neighbours of each point, the point itself counted, as in umap-learn.
    min_dist, spread
        Least distance between points on the map, and its scale.
    n_epochs
        Epochs of the optimisation; "auto" is 500 up to 10,000 points and 200 beyond.

    References
    ----------
    McInnes, Healy & Melville 2018, arXiv:1802.03426.
    """

    method: Literal["umap"] = "umap"
    n_neighbors: Annotated[int, Field(ge=2)] = 15
    min_dist: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    spread: Positive = 1.0
    n_epochs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"

    @model_validator(mode="after")
    def _distances(self) -> UMAP:
        if self.min_dist > self.spread:
            raise ValueError(
                f"min_dist is {self.min_dist:g} but must not exceed spread, {self.spread:g}: "
                "lower min_dist or raise spread"
            )
        return self

    def epochs(self, n: int) -> int:
        """Epochs for `n` points, "auto" resolved."""
        if self.n_epochs == "auto":
            return 500 if n <= 10_000 else 200
        return self.n_epochs


class KMeans(Settings):
    """k-means by Lloyd's iterations from k-means++ starts.

    Attributes
    ----------
    n_clusters
        Clusters, at most the number of rows.
    n_init
        Starts, of which the one with the least inertia is kept.
    max_iter, tol
        Lloyd iterations at most, and the relative movement of the centres at which to stop
        (relative to the mean variance of the columns, as scikit-learn has it).

    References
    ----------
    Lloyd 1982, doi:10.1109/TIT.1982.1056489; Arthur & Vassilvitskii 2007 (k-means++).
    """

    method: Literal["kmeans"] = "kmeans"
    n_clusters: Annotated[int, Field(ge=1)] = 10
    n_init: Annotated[int, Field(ge=1)] = 10
    max_iter: Annotated[int, Field(ge=1)] = 300
    tol: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4

    def is_light(self, rows: int, columns: int) -> bool:
        # Without columns too a distance is as dear as with a dozen.
        return rows * self.n_clusters * self.n_init * (columns + 12) <= 5 * 10**8


class Neighbors(Settings):
    """Exact nearest neighbours in the Euclidean metric, the point itself not counted.

    Attributes
    ----------
    n_neighbors
        Neighbours of each point, at most one less than there are rows.
    """

    method: Literal["neighbors"] = "neighbors"
    n_neighbors: Annotated[int, Field(ge=1)] = 90
