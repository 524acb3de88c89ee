// Package twinmaker is AWS IoT TwinMaker for the local endpoint: workspaces,
// component types, entities and scenes out of CloudFormation templates, the
// reading operations that Grafana and IoT App Kit call, and property values
// through data connectors, which are the deployed Lambda functions, or natively
// from SiteWise. TwinMaker acts as the workspace's role, and what that role's
// policy does not allow is denied.
//
// # Stricter than AWS
//
// A connector's reply must satisfy the API model, keep to the asked range, order
// and size, name what was asked and carry values of the property's type; AWS
// passes some of these faults on to clients, which then ignore or misread them.
// The object of a scene must exist. Built-in component types of which nothing
// here needs more than the name are refused.
package twinmaker
