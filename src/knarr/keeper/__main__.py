"""Run by its path, with no site-packages and no environment: finds knarr beside itself."""

import os
import sys

# Last, not first: nothing that lies beside the package may hide a module of the standard library.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from knarr.keeper.main import main

sys.exit(main(sys.argv[1]))
