// Package sitewise is AWS IoT SiteWise for the local endpoint: asset models and
// assets out of CloudFormation templates, ingestion, computation of transforms
// and metrics, and the queries that the SDK's clients, Grafana and IoT App Kit
// make.
//
// # What is computed, and when
//
// The value of a transform exists at every time at which one of its inputs that
// is not an attribute has a usable value, from the latest values of all inputs at
// or before it. The value of a metric exists at the end of every window (start
// exclusive, end inclusive) that has closed on the business clock. Both are
// functions of what is stored and of nothing else, so neither the order in which
// values arrive nor the machine's speed shows in them. They are computed when
// somebody asks, for the stretch that changed since. Values of other quality than
// GOOD, nulls and NaN feed no computation.
//
// # Differences from AWS
//
// Data streams that belong to no asset property are refused, as an account does
// whose storage setting disassociatedDataStorage is DISABLED. The standard
// deviation is that of a population; the user guide does not say. Composite
// models, portals, gateways and access policies do not exist here.
package sitewise
