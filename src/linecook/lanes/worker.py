"""What a worker process starts with. Run by path: the package is not imported, so that starting costs 17 ms, not 40.

The real program is ``worker_main``, imported so that its byte code is cached. Both it and ``wire`` then leave the
places where user code could meet them: the module table (under these plain names) and the path.
"""

import sys

if __name__ == "__main__":
    import worker_main  # pyright: ignore

    del sys.path[0]
    worker_main.main()
