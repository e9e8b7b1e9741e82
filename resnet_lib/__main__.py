"""`python -m resnet_lib`."""

import sys

from resnet_lib.cli import main

if __name__ == "__main__":
    sys.exit(main())
