import sys

from runfold.worker.command import main

sys.exit(main(sys.argv[1:]))
