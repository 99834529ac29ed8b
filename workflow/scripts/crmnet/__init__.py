"""CRMnet: from measured sequences to models, predictions and figures."""

import re
import sys

# Snakemake adds its own packages to the path of a script. In a rule's environment they may belong
# to another version of Python and crash when imported, for example by TensorFlow, which imports any
# JAX that it finds.
_PYTHON = re.compile(r"/lib(?:64)?/python(\d\.\d+)")
_OWN = "{}.{}".format(*sys.version_info)
sys.path[:] = [path for path in sys.path if set(_PYTHON.findall(path)[-1:]) <= {_OWN}]
