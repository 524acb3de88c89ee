package assembly

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func join(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("expected [separator, values], have %v", arg)
	}
	separator, ok := list[0].(string)
	items, ok2 := list[1].([]any)
	if !ok || !ok2 {
		return nil, fmt.Errorf("expected [separator, values], have %v", arg)
	}
	parts := make([]string, len(items))
	for i, item := range items {
		var err error
		if parts[i], err = Text(item); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return strings.Join(parts, separator), nil
}

func selectItem(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("expected [index, values], have %v", arg)
	}
	text, err := Text(list[0])
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("the index %q is not a number", text)
	}
	items, ok := list[1].([]any)
	if !ok || i < 0 || i >= len(items) {
		return nil, fmt.Errorf("there is no item %d in %v", i, list[1])
	}
	return items[i], nil
}

func split(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("expected [separator, text], have %v", arg)
	}
	separator, ok := list[0].(string)
	text, ok2 := list[1].(string)
	if !ok || !ok2 {
		return nil, fmt.Errorf("expected [separator, text], have %v", arg)
	}
	var out []any
	for part := range strings.SplitSeq(text, separator) {
		out = append(out, part)
	}
	return out, nil
}

func importValue(arg any, s Scope) (any, error) {
	name, err := Text(arg)
	if err != nil {
		return nil, err
	}
	return s.Import(name)
}

func zones(arg any, s Scope) (any, error) {
	region, err := Text(arg)
	if err != nil {
		return nil, err
	}
	return s.Zones(region)
}

func findInMap(arg any, s Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 3 {
		return nil, fmt.Errorf("expected [map, top-level key, second-level key], have %v", arg)
	}
	var keys [3]string
	for i, item := range list {
		var err error
		if keys[i], err = Text(item); err != nil {
			return nil, err
		}
	}
	return s.Mapping(keys[0], keys[1], keys[2])
}

func encode(arg any, _ Scope) (any, error) {
	text, err := Text(arg)
	return base64.StdEncoding.EncodeToString([]byte(text)), err
}

func equals(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("expected two values, have %v", arg)
	}
	a, err := Text(list[0])
	if err != nil {
		return nil, err
	}
	b, err := Text(list[1])
	return a == b, err
}

func truths(arg any) ([]bool, error) {
	list, ok := arg.([]any)
	if !ok {
		return nil, fmt.Errorf("expected a list of conditions, have %v", arg)
	}
	out := make([]bool, len(list))
	for i, item := range list {
		if out[i], ok = item.(bool); !ok {
			return nil, fmt.Errorf("[%d]: %v is not a condition", i, item)
		}
	}
	return out, nil
}

func and(arg any, _ Scope) (any, error) {
	list, err := truths(arg)
	return !slices.Contains(list, false), err
}

func or(arg any, _ Scope) (any, error) {
	list, err := truths(arg)
	return slices.Contains(list, true), err
}

func not(arg any, _ Scope) (any, error) {
	list, err := truths(arg)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("expected one condition, have %d", len(list))
	}
	return err == nil && !list[0], err
}

func contains(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return nil, fmt.Errorf("expected [values, value], have %v", arg)
	}
	items, ok := list[0].([]any)
	if !ok {
		return nil, fmt.Errorf("expected a list of values, have %v", list[0])
	}
	return slices.Contains(items, list[1]), nil
}

func length(arg any, _ Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok {
		return nil, fmt.Errorf("expected a list, have %v", arg)
	}
	return json.Number(strconv.Itoa(len(list))), nil
}

func toJSON(arg any, _ Scope) (any, error) {
	data, err := json.Marshal(arg)
	return string(data), err
}
