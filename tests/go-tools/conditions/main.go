// Evaluates conditions of Argo Rollouts' analyses as Argo Rollouts 1.10 does.
//
// From the standard input it reads a JSON list of {"condition": …, "result": …}; to the standard output it writes a JSON list with, for each,
// true, false, or {"error": …}. A result is what Argo hands to a condition: of a Prometheus vector the list of its values, of a scalar its
// value. In strings "NaN", "Inf" and "-Inf" stand for the numbers that JSON lacks.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type question struct {
	Condition string `json:"condition"`
	Result    any    `json:"result"`
}

func main() {
	if err := answer(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conditions:", err)
		os.Exit(1)
	}
}

func answer(from io.Reader, to io.Writer) error {
	var questions []question
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&questions); err != nil {
		return err
	}
	answers := make([]any, 0, len(questions))
	for _, one := range questions {
		result, err := fromPrometheus(one.Result)
		if err != nil {
			return err
		}
		if held, err := evaluate(one.Condition, result); err != nil {
			answers = append(answers, map[string]string{"error": err.Error()})
		} else {
			answers = append(answers, held)
		}
	}
	return json.NewEncoder(to).Encode(answers)
}
