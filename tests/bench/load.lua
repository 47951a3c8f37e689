-- What wrk sends: a 150-byte JSON POST, from 1000 users in turn, so that a split by user sees all its variants.

local body = '{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}], "parameters": {"caller": "benchmark", "padding": ".."}}'
local requests = {}
local next_request = 0

function init(args)
  for user = 1, 1000 do
    requests[user] = wrk.format("POST", "/v2/models/iris/infer", {
      ["Host"] = "models.test",
      ["Content-Type"] = "application/json",
      ["X-User-Id"] = "user-" .. user,
    }, body)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
