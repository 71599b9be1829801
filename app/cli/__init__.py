"""The command line: `runfold dev`, `serve`, `runs` and `projections`."""
