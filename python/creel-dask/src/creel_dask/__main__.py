"""``python -m creel_dask``."""

from .submit import main

if __name__ == "__main__":
    raise SystemExit(main())
