"""A model for every datatype: the client says what each version answers.

For each datatype there are two optional inputs, `<datatype>.1` and `<datatype>.2`, and an output named after it. Version N answers input N.
"""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """What Triton's Python backend calls."""

    def initialize(self, args):
        """Remembers which version this is."""
        self.version = args["model_version"]

    def execute(self, requests):
        """Answers each request with the tensors that it holds for this version."""
        return [pb_utils.InferenceResponse(list(self.chosen(request))) for request in requests]

    def chosen(self, request):
        """This version's tensors, under the names of the outputs."""
        wanted = request.requested_output_names()
        for tensor in request.inputs():
            name, version = tensor.name().split(".")
            if version == self.version and name in wanted:
                # numpy has no bfloat16, so such tensors go on as they are.
                bf16 = name == "bf16"
                yield pb_utils.Tensor.from_dlpack(name, tensor.to_dlpack()) if bf16 else pb_utils.Tensor(name, tensor.as_numpy())
