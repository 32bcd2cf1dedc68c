"""`python -m releve.apps.guard run ...`: the guard without the rest of the command."""

import sys

from releve.apps.cli.main import main

sys.argv = [sys.argv[0], "guard", *sys.argv[1:]]
main()
