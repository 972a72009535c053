"""The programs that people would otherwise use, driven with the settings of the case.

Each gets what it can be given; what it cannot take is noted, and what would be other work is refused.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gpu_pipeline import engines, methods
from gpu_pipeline.engines import threads
from gpu_pipeline.errors import Unavailable
from gpu_pipeline.timing import Stopwatch

from .work import Engine, Job, Made, Refused

EXPLORED = 250
"""Iterations for which scikit-learn and its replacement exaggerate, whatever they are told."""


def check_phases(settings: methods.TSNE) -> None:
    """See that scikit-learn's t-SNE would do the case's iterations.

    Raises
    ------
    Refused
        If it would not.
    """
    early, _ = settings.phases()
    if early != EXPLORED:
        raise Refused(f"scikit-learn's t-SNE exaggerates for {EXPLORED} iterations, the case for {early}")


def opentsne() -> Engine:
    """openTSNE (Policar, Strazar & Zupan 2024, doi:10.18637/jss.v109.i03); neighbours found as it chooses."""
    _need("openTSNE")
    return Engine("cpu", _opentsne)


def _opentsne(X: np.ndarray, job: Job) -> Made:
    from openTSNE import TSNEEmbedding, affinity

    settings, start = _tsne(job), np.asarray(job.start, np.float64)
    early, late = settings.phases()
    # Its learning rates are four times scikit-learn's for the same step.
    early_rate, late_rate = (4 * rate for rate in settings.learning_rates(len(X)))
    watch, team = Stopwatch(), threads()
    with watch.measure("affinities"):
        affinities = affinity.PerplexityBasedNN(X, settings.perplexity, n_jobs=team, random_state=job.seed)
    with watch.measure("optimise"):
        embedding = TSNEEmbedding(start, affinities, n_jobs=team, random_state=job.seed)
        options = {"inplace": True, "propagate_exception": True, "n_jobs": team}
        for count, factor, rate, momentum in (
            (early, settings.early_exaggeration, early_rate, settings.early_momentum),
            (late, settings.exaggeration, late_rate, settings.momentum),
        ):
            embedding.optimize(count, exaggeration=factor, learning_rate=rate, momentum=momentum, **options)
    return Made({"map": np.asarray(embedding)}, watch.seconds)


def intelex_tsne() -> Engine:
    """scikit-learn-intelex: scikit-learn's t-SNE on oneDAL (Narang et al. 2022, arXiv:2212.11506)."""
    _need("sklearnex")

    def run(X: np.ndarray, job: Job) -> Made:
        from sklearnex.manifold import TSNE

        settings = _tsne(job)
        check_phases(settings)
        early_rate, late_rate = settings.learning_rates(len(X))
        model = TSNE(
            perplexity=settings.perplexity,
            early_exaggeration=settings.early_exaggeration,
            learning_rate=early_rate,
            max_iter=settings.iterations,
            n_iter_without_progress=settings.iterations,
            min_grad_norm=0.0,
            init=job.start,
            random_state=job.seed,
            n_jobs=threads(),
        )
        note = (
            f"scikit-learn-intelex keeps the first learning rate, {early_rate:g}, in the second phase ({late_rate:g})"
        )
        return Made({"map": model.fit_transform(X)}, notes=() if early_rate == late_rate else (note,))

    return Engine("cpu", run)


def cuml_tsne() -> Engine:
    """cuML's t-SNE with the defaults of its adaptive learning rate: what `cuml.TSNE()` gives, but for the seed.

    Raises
    ------
    Unavailable
        If cuML cannot be used on this computer.
    """
    module = engines.load("rapids")

    def run(X: Any, job: Job) -> Made:
        from cuml.manifold import TSNE

        settings = _tsne(job)
        model = TSNE(
            perplexity=settings.perplexity, max_iter=settings.iterations, random_state=job.seed, output_type="cupy"
        )
        note = "cuml.TSNE's own start, neighbours, learning rates and exaggeration"
        return Made({"map": model.fit_transform(X)}, notes=(note,))

    return Engine("cuda", run, module.put, module.get, module.sync)


def pacmap() -> Engine:
    """PaCMAP (Wang, Huang, Rudin & Shaposhnik 2021, JMLR 22:1-73): another method, with its own defaults."""
    _need("pacmap")

    def run(X: np.ndarray, job: Job) -> Made:
        from pacmap import PaCMAP

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a seed makes it slower
            embedding = PaCMAP(random_state=job.seed).fit_transform(X, init=job.start)
        return Made({"map": embedding}, notes=("PaCMAP has iterations and neighbours of its own",))

    return Engine("cpu", run)


def umap_learn(seeded: bool) -> Engine:
    """umap-learn with the neighbours that it finds itself, by one thread with a seed, or by all threads without one, as
    its authors recommend for speed; its maps then differ from run to run."""
    _need("umap")

    def run(X: np.ndarray, job: Job) -> Made:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)
            from umap import UMAP
        settings = job.settings
        assert isinstance(settings, methods.UMAP)
        model = UMAP(
            n_neighbors=settings.n_neighbors,
            min_dist=settings.min_dist,
            spread=settings.spread,
            n_epochs=settings.epochs(len(X)),
            **({"random_state": job.seed, "n_jobs": 1} if seeded else {"n_jobs": threads()}),
        )
        return Made({"map": model.fit_transform(X)}, notes=() if seeded else ("without a seed",))

    return Engine("cpu", run)


def intelex_pca() -> Engine:
    """scikit-learn-intelex's PCA, by the covariance matrix as scikit-learn's."""
    _need("sklearnex")

    def run(X: np.ndarray, job: Job) -> Made:
        from sklearnex.decomposition import PCA

        settings = job.settings
        assert isinstance(settings, methods.PCA)
        model = PCA(settings.n_components, svd_solver="covariance_eigh", random_state=job.seed)
        return Made({"scores": model.fit_transform(X)})

    return Engine("cpu", run)


def intelex_kmeans() -> Engine:
    """scikit-learn-intelex's k-means."""
    _need("sklearnex")

    def run(X: np.ndarray, job: Job) -> Made:
        from sklearnex.cluster import KMeans

        settings = _kmeans(job)
        model = KMeans(
            settings.n_clusters,
            n_init=settings.n_init,
            max_iter=settings.max_iter,
            tol=settings.tol,
            random_state=job.seed,
        )
        return Made({"clusters": model.fit_predict(X)})

    return Engine("cpu", run)


def faiss_kmeans() -> Engine:
    """faiss's k-means (Johnson, Douze & Jegou 2019, doi:10.1109/TBDATA.2019.2921572) on all points, not its sample."""
    _need("faiss")

    def run(X: np.ndarray, job: Job) -> Made:
        import faiss

        settings = _kmeans(job)
        if settings.tol:
            raise Refused("faiss's k-means does all its iterations: it has no tolerance to stop at")
        faiss.omp_set_num_threads(threads())
        model = faiss.Kmeans(
            X.shape[1],
            settings.n_clusters,
            niter=settings.max_iter,
            nredo=settings.n_init,
            seed=job.seed,
            min_points_per_centroid=1,
            max_points_per_centroid=len(X),
            init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        )
        model.train(X)
        return Made({"clusters": model.index.search(X, 1)[1][:, 0]})

    return Engine("cpu", run, put=_rows)


def _rows(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X, dtype=np.float32)


def _tsne(job: Job) -> methods.TSNE:
    assert isinstance(job.settings, methods.TSNE)
    if job.settings.min_kl_drop or job.settings.initialization != "pca":
        raise Refused("only a fixed number of iterations from the case's own start is asked of others")
    return job.settings


def _kmeans(job: Job) -> methods.KMeans:
    assert isinstance(job.settings, methods.KMeans)
    return job.settings


def _need(module: str) -> None:
    """See that a program is installed.

    Raises
    ------
    Unavailable
        If it is not.
    """
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise Unavailable(f"{module} is not installed: pip install 'gpu-pipeline[bench]'")
