package main

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/expr-lang/expr"
)

// A condition's value, with the names and functions that Argo Rollouts 1.10 gives it (utils/evaluate).
func evaluate(condition string, result any) (bool, error) {
	env := map[string]any{
		"result":  result,
		"asInt":   asInt,
		"asFloat": asFloat,
		"isNaN":   math.IsNaN,
		"isInf":   func(value float64) bool { return math.IsInf(value, 0) },
		"isNil":   func(any) bool { return isNil(result) },
		"default": func(_ any, otherwise any) any {
			if isNil(result) {
				return otherwise
			}
			return result
		},
	}
	program, err := expr.Compile(condition, expr.Env(env))
	if err != nil {
		return false, err
	}
	output, err := expr.Run(program, env)
	if err != nil {
		return false, err
	}
	held, ok := output.(bool)
	if !ok {
		return false, fmt.Errorf("expected bool, but got %T", output)
	}
	return held, nil
}

// What Argo makes of Prometheus' answer: a float64, or a []float64, which is empty but not nil where there is no series.
func fromPrometheus(value any) (any, error) {
	if list, ok := value.([]any); ok {
		numbers := make([]float64, 0, len(list))
		for _, one := range list {
			number, err := toNumber(one)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, number)
		}
		return numbers, nil
	}
	return toNumber(value)
}

func toNumber(value any) (float64, error) {
	switch one := value.(type) {
	case float64:
		return one, nil
	case string:
		return strconv.ParseFloat(one, 64)
	}
	return 0, fmt.Errorf("no result of Prometheus: %v", value)
}

func isNil(value any) bool {
	if value == nil {
		return true
	}
	switch reflect.TypeOf(value).Kind() {
	case reflect.Ptr, reflect.Map, reflect.Chan, reflect.Slice:
		return reflect.ValueOf(value).IsNil()
	}
	return false
}

func asInt(value any) int64 {
	if text, ok := value.(string); ok {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(err)
		}
		return number
	}
	return int64(number("asInt", value))
}

func asFloat(value any) float64 {
	if text, ok := value.(string); ok {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		return number
	}
	return number("asFloat", value)
}

func number(name string, value any) float64 {
	of := reflect.ValueOf(value)
	switch {
	case !of.IsValid():
	case of.CanFloat():
		return of.Float()
	case of.CanInt():
		return float64(of.Int())
	case of.CanUint():
		return float64(of.Uint())
	}
	panic(fmt.Sprintf("%s() not supported on %v %v", name, reflect.TypeOf(value), value))
}
