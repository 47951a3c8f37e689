"""Records answers of real servers as test data: `tests/data/answers`, whose README.md says how to run this.

`wire` sends requests and gives back answers as they were on the wire, `answers` keeps them as files; `triton`, `mlserver`, `kserve`,
`llama` and `openai_schema` each hold the cases of one origin.
"""
