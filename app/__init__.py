"""Where the parts meet: the loop around the core, the web API, the command line."""
