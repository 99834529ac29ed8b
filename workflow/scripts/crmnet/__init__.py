"""CRMnet: from measured sequences to models, predictions and figures."""

import re
import sys

# Snakemake lets a script find its own packages too. In a rule's environment these may be another
# Python's, which crash once imported (as TensorFlow does with any JAX that it finds).
_PYTHON = re.compile(r"/lib(?:64)?/python(\d\.\d+)")
_OWN = "{}.{}".format(*sys.version_info)
sys.path[:] = [path for path in sys.path if set(_PYTHON.findall(path)[-1:]) <= {_OWN}]
