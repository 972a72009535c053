"""`python -m gpu_pipeline` is the command `gpu-pipeline`."""

from .cli import main

main()
