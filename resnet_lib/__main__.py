"""`python -m resnet_lib`."""

import sys

if __name__ == "__main__":
    try:
        from resnet_lib.cli import main  # takes seconds, in which one may change one's mind
    except KeyboardInterrupt:
        print("resnet_lib: stopped.", file=sys.stderr)
        sys.exit(130)
    sys.exit(main())
