"""`make bench`: see `bench.scenarios`."""

import sys

if __name__ == "__main__":
    # A process that shares work with this one imports its file again, and is to begin before it has read all else.
    from bench.scenarios import main

    sys.exit(main())
