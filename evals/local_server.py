"""A llama.cpp server for one small model, one thread: ``python local_server.py MODEL.gguf`` prints its address.

Run by the Python of a folder of its own (it needs ``xllamacpp`` and nothing of this package); ends with its input.
"""

from __future__ import annotations

import sys

import xllamacpp

CONTEXT = 8192  # tokens, all that SmolLM2 was trained for


def main() -> None:
    """Serve until standard input closes."""
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.endpoint_metrics = False
    params.sampling.temp = 0.0
    params.sampling.seed = 1
    threads = params.cpuparams
    threads.n_threads = 1  # two spinning threads on a busy machine are slower than one
    params.cpuparams = threads
    params.cpuparams_batch = threads
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
