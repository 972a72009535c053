"""The command `gpu-pipeline`, and `python -m gpu_pipeline`: Ctrl-C is heard while the rest is imported."""

import os
import sys


def main() -> None:
    """Run the command line; one that failed leaves at once, and waits for no thread, such as one that compiles."""
    try:
        from .cli import main as command

        command()
    except KeyboardInterrupt:
        print("gpu-pipeline: stopped.", file=sys.stderr)
        code = 130
    except SystemExit as ended:
        if not isinstance(ended.code, int) or ended.code == 0:
            raise
        code = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
