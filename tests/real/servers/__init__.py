"""Real model servers on loopback, each with a trusted model and a candidate of it.

`process` starts and stops programs; `triton`, `mlserver`, `kserve` and `llama` each know how one server wants to be started and which
models it gets; `triton_models`, `digits`, `weights` are these models. Nothing here knows the filter.
"""
