"""The command `runfold`, as it is installed: python -m tests.crash.launch COMMAND [ARGUMENT...]."""

from runfold.engine import main

if __name__ == "__main__":
    main()
