package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	for _, one := range []struct{ condition, result, answer string }{
		{"len(result) == 1 && result[0] == 1", "[1]", "true"},
		{"len(result) == 1 && result[0] == 1", "[2]", "false"},
		{"len(result) == 1 && result[0] == 1", "[]", "false"},
		{"len(result) == 1 && result[0] == 1", "[1, 1]", "false"},
		{"len(result) == 1 && result[0] == 1", `["NaN"]`, "false"},
		{"len(result) == 0 || result[0] == 0", "[]", "true"},
		{"result[0] == 0", "[]", `{"error":"index out of range: 0 (array length is 0) (1:7)\n | result[0] == 0\n | ......^"}`},
		{"result == 1", "1", "true"},
		{"isNaN(result)", `"NaN"`, "true"},
		{"isNaN(result[0])", `["NaN"]`, "true"},
		{"isInf(result)", `"-Inf"`, "true"},
		{"isNil(result)", "[]", "false"},
		{"default(result, 7) == 7", "7", "true"},
		{"default(result, 7) == 7", "3", "false"},
		{"asInt(result[0]) == 1", "[1.9]", "true"},
		{"asFloat('0.5') < result", "0.6", "true"},
		{"asInt('x') == 1", "1", `{"error":"strconv.ParseInt: parsing \"x\": invalid syntax (1:1)\n | asInt('x') == 1\n | ^"}`},
		{"result", "1", `{"error":"expected bool, but got float64"}`},
		{"results == 1", "1", `{"error":"unknown name results (1:1)\n | results == 1\n | ^"}`},
	} {
		var to bytes.Buffer
		from := `[{"condition": "` + one.condition + `", "result": ` + one.result + `}]`
		if err := answer(strings.NewReader(from), &to); err != nil || to.String() != "["+one.answer+"]\n" {
			t.Errorf("%s of %s is %s%v, expected %s", one.condition, one.result, to.String(), err, one.answer)
		}
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	for _, from := range []string{"", "{}", `[{"conditions": "true", "result": 1}]`, `[{"condition": "true"}]`, `[{"condition": "true", "result": ["x"]}]`} {
		if err := answer(strings.NewReader(from), &bytes.Buffer{}); err == nil {
			t.Errorf("%q is answered", from)
		}
	}
}
