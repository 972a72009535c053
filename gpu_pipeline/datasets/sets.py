"""MNIST and its two drop-in kin, as a literal table: where they are published, and their digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FILES = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}
"""The four files of a data set and their dimensions; the 60,000 training rows come first."""


@dataclass(frozen=True)
class IdxSet:
    """A data set of four IDX files.

    Attributes
    ----------
    raw
        The folder in which torchvision keeps it.
    mirrors
        Folders on the web that hold the files, compressed.
    digests
        File -> digests of which it must have one. They are of the uncompressed content, so that any
        gzip of it serves.
    recommended
        The preprocessing that suits it.
    """

    raw: str
    mirrors: tuple[str, ...]
    digests: Mapping[str, tuple[str, ...]]
    recommended: Literal["none", "deskew"] = "none"


SETS: dict[str, IdxSet] = {
    # LeCun, Bottou, Bengio & Haffner 1998, doi:10.1109/5.726791.
    "mnist": IdxSet(
        raw="MNIST/raw",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        digests={
            "train-images-idx3-ubyte": ("sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",),
            "train-labels-idx1-ubyte": ("sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",),
            "t10k-images-idx3-ubyte": ("sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",),
            "t10k-labels-idx1-ubyte": ("sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",),
        },
        recommended="deskew",
    ),
    # Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
    "fashion-mnist": IdxSet(
        raw="FashionMNIST/raw",
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        digests={
            "train-images-idx3-ubyte": ("sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",),
            "train-labels-idx1-ubyte": ("sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",),
            "t10k-images-idx3-ubyte": ("sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",),
            "t10k-labels-idx1-ubyte": ("sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",),
        },
    ),
    # Clanuwat et al. 2018, arXiv:1812.01718. No SHA-256 of the content is published: its MD5 serves (from the
    # DataLad copy at Mila), or the SHA-256 of the files as CODH compressed them (as TensorFlow Datasets has them).
    "kuzushiji-mnist": IdxSet(
        raw="KMNIST/raw",
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        digests={
            "train-images-idx3-ubyte": (
                "md5:92be26ec9822e900ac425d0a0aa84ced",
                "sha256:51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            "train-labels-idx1-ubyte": (
                "md5:949e75301f8813e0dc5800dcc320fc52",
                "sha256:e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            "t10k-images-idx3-ubyte": (
                "md5:bf305b8cd328700fbc17f5acbc2856d2",
                "sha256:edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            "t10k-labels-idx1-ubyte": (
                "md5:9f55f451c0988b028eccdf7d5cc265ab",
                "sha256:20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        },
    ),
}
