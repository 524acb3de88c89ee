package formula

import "slices"

// checkCall checks a call against the rules of the user guide.
func (p *parser) checkCall(name string, fn function, args []node) error {
	if len(args) < fn.min || fn.max >= 0 && len(args) > fn.max {
		return p.errorf("%s does not take %d arguments", name, len(args))
	}
	if fn.metric && p.use == Transform {
		return p.errorf("%s can be used in metrics only", name)
	}
	for _, a := range args {
		names := variables(a)
		if fn.temporal && len(names) != 1 {
			return p.errorf("the argument of %s must have exactly one variable", name)
		}
		if fn.temporal && callsAggregate(a) {
			return p.errorf("the argument of %s cannot be an aggregation", name)
		}
		if fn.aggregate && p.use == Metric && len(names) > 1 && !callsAggregate(a) {
			return p.errorf("each argument of %s can have only one variable", name)
		}
	}
	return nil
}

// checkMetric has a metric use at least one variable: without one there is
// nothing to compute when.
func (p *parser) checkMetric() error {
	if len(p.expr.variables) == 0 {
		return p.errorf("a metric needs at least one variable")
	}
	return nil
}

// children are the parts of a node.
func children(n node) []node {
	switch n := n.(type) {
	case unary:
		return []node{n.x}
	case binary:
		return []node{n.x, n.y}
	case conditional:
		return []node{n.cond, n.then, n.otherwise}
	case call:
		return n.args
	default:
		return nil
	}
}

// variables are the names that n uses.
func variables(n node) []string {
	if v, ok := n.(variable); ok {
		return []string{v.name}
	}
	var all []string
	for _, c := range children(n) {
		for _, name := range variables(c) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// callsAggregate reports whether n collects samples itself.
func callsAggregate(n node) bool {
	if c, ok := n.(call); ok && (c.fn.aggregate || c.fn.temporal && c.fn.metric) {
		return true
	}
	return slices.ContainsFunc(children(n), callsAggregate)
}
