"""Runs llama.cpp's server in this process: `llama_main.py WEIGHTS PORT NAME chat|embedding`."""

import signal
import sys

import xllamacpp

weights, port, name, task = sys.argv[1:]
parameters = xllamacpp.CommonParams()
parameters.model.path = weights
parameters.port = int(port)
parameters.model_alias = {name}
parameters.n_ctx = 2048
parameters.n_parallel = 2
parameters.cpuparams.n_threads = 1
parameters.warmup = False
if task == "embedding":
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(parameters)
signal.sigwait([signal.SIGTERM, signal.SIGINT])
