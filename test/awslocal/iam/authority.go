package iam

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// An Authority holds roles, policies and sessions and decides.
type Authority struct {
	identity kernel.Identity
	keyring  Keyring
	usage    *usage

	mu       sync.RWMutex
	roles    map[string]*role     // by name
	carried  map[string]*document // policies of resources, by ARN
	managed  map[string]*document // managed policies, by ARN
	sessions map[string]session   // by access key
}

// A role is a deployed AWS::IAM::Role.
type role struct {
	name     string
	id       string
	trust    *document
	policies map[string]*document // inline and managed, by name
}

// A session is what an access key stands for.
type session struct {
	principal kernel.Principal
	expires   time.Time // wall time; zero: never
}

var (
	_ kernel.RoleSession      = (*Authority)(nil)
	_ kernel.ResourcePolicies = (*Authority)(nil)
	_ kernel.Provider         = (*Authority)(nil)
)

// New returns an authority without roles. Only the operator, whose access key
// is OperatorKey, can call anything yet.
func New(identity kernel.Identity, keyring Keyring) *Authority {
	a := &Authority{
		identity: identity,
		keyring:  keyring,
		usage:    newUsage(),
		roles:    map[string]*role{},
		carried:  map[string]*document{},
		managed:  map[string]*document{},
		sessions: map[string]session{},
	}
	a.sessions[OperatorKey] = session{principal: a.Operator()}
	return a
}

// Operator is the user who deploys and looks on: everything is allowed that no
// policy of a resource denies.
func (a *Authority) Operator() kernel.Principal {
	return kernel.Principal{ARN: "arn:" + a.identity.Partition + ":iam::" + a.identity.Account + ":user/operator"}
}

func (a *Authority) roleARN(name string) string {
	return "arn:" + a.identity.Partition + ":iam::" + a.identity.Account + ":role/" + name
}

// roleName returns the name in a role's ARN, or the name itself.
func roleName(role string) string {
	if _, path, ok := strings.Cut(role, ":role/"); ok {
		role = path
	}
	return role[strings.LastIndexByte(role, '/')+1:]
}

func (a *Authority) role(nameOrARN string) (*role, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	r, ok := a.roles[roleName(nameOrARN)]
	if !ok {
		return nil, kernel.Errorf(http.StatusNotFound, "NoSuchEntity", "The role with name %s cannot be found: no deployed template has it.", roleName(nameOrARN))
	}
	return r, nil
}

// Caller returns who holds an access key at wall time now, and whether anybody
// does.
func (a *Authority) Caller(accessKey string, now time.Time) (kernel.Principal, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	s, ok := a.sessions[accessKey]
	if !ok || !s.expires.IsZero() && now.After(s.expires) {
		return kernel.Principal{}, false
	}
	return s.principal, true
}

// Secrets returns the secret and the session token of an access key.
func (a *Authority) Secrets(accessKey string) (secret, token string) {
	return a.keyring.Secret(accessKey), a.keyring.Token(accessKey)
}

// A Credential is an access key with what goes with it.
type Credential struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty for the operator
	Expires         time.Time // wall time; zero: never
}

// OperatorCredential returns the operator's key.
func (a *Authority) OperatorCredential() Credential {
	return Credential{AccessKeyID: OperatorKey, SecretAccessKey: a.keyring.Secret(OperatorKey)}
}

// Session returns a credential with which a process plays a role under a
// session name. It does not ask the role's trust policy.
func (a *Authority) Session(roleNameOrARN, name string, expires time.Time) (Credential, kernel.Principal, error) {
	r, err := a.role(roleNameOrARN)
	if err != nil {
		return Credential{}, kernel.Principal{}, err
	}
	p := a.played(r, name)
	key := sessionKey(p.ARN)
	a.mu.Lock()
	if old, ok := a.sessions[key]; !ok || !old.expires.IsZero() && (expires.IsZero() || expires.After(old.expires)) {
		a.sessions[key] = session{p, expires}
	}
	a.mu.Unlock()
	secret, token := a.Secrets(key)
	return Credential{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token, Expires: expires}, p, nil
}

func (a *Authority) played(r *role, session string) kernel.Principal {
	return kernel.Principal{
		ARN:  "arn:" + a.identity.Partition + ":sts::" + a.identity.Account + ":assumed-role/" + r.name + "/" + session,
		Role: r.name,
	}
}

// Environment implements kernel.RoleSession.
func (a *Authority) Environment(role string) ([]string, error) {
	return a.SessionEnvironment(role, "local")
}

// SessionEnvironment is Environment under a session name.
func (a *Authority) SessionEnvironment(role, name string) ([]string, error) {
	c, _, err := a.Session(role, name, time.Time{})
	if err != nil {
		return nil, err
	}
	return []string{
		"AWS_REGION=" + a.identity.Region,
		"AWS_DEFAULT_REGION=" + a.identity.Region,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.SessionToken,
		"AWS_ENDPOINT_URL=" + a.identity.Endpoint,
		"HTTP_PROXY=" + a.identity.Endpoint, // for the hosts api. and data. of the SDK
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"HOME=/nonexistent",
		"TZ=UTC",
		"PATH=/usr/local/bin:/usr/bin:/bin",
	}, nil
}

// Assume implements kernel.RoleSession.
func (a *Authority) Assume(role, service string) (kernel.Principal, error) {
	return a.AssumeFor(role, service, "")
}

// AssumeFor is Assume by a service that acts for a resource, such as a
// schedule's group, which the trust policy sees as aws:SourceArn.
func (a *Authority) AssumeFor(nameOrARN, service, sourceARN string) (kernel.Principal, error) {
	r, err := a.role(nameOrARN)
	if err != nil {
		return kernel.Principal{}, err
	}
	caller := kernel.Principal{Service: service, SourceARN: sourceARN}
	if err := a.trusts(r, caller, nil); err != nil {
		return kernel.Principal{}, err
	}
	name, _, _ := strings.Cut(service, ".")
	return a.played(r, name), nil
}

// AssumeRole gives a caller a session of a role whose trust policy admits the
// caller. A role of this account that trusts the account also needs the
// caller's own permission.
func (a *Authority) AssumeRole(caller kernel.Principal, nameOrARN, name, externalID string, expires time.Time) (Credential, kernel.Principal, string, error) {
	r, err := a.role(nameOrARN)
	if err != nil {
		return Credential{}, kernel.Principal{}, "", err
	}
	conditions := map[string][]string{"sts:RoleSessionName": {name}}
	if externalID != "" {
		conditions["sts:ExternalId"] = []string{externalID}
	}
	if err := a.trusts(r, caller, conditions); err != nil {
		return Credential{}, kernel.Principal{}, "", err
	}
	c, p, err := a.Session(r.name, name, expires)
	return c, p, r.id + ":" + name, err
}

func (a *Authority) trusts(r *role, caller kernel.Principal, conditions map[string][]string) error {
	request := &Request{Principal: caller, Action: "sts:AssumeRole", Conditions: conditions}
	arn := a.roleARN(r.name)
	a.mu.RLock()
	result, _ := evaluate([]*document{r.trust}, request, arn, a.identity.Account, a.keys(request))
	a.mu.RUnlock()
	if result == allowed {
		return nil
	}
	who := caller.ARN
	if caller.Service != "" {
		who = caller.Service
	}
	a.usage.record(request, arn, false, nil)
	return &Denied{Principal: who, Action: "sts:AssumeRole", Resource: arn, Reason: "because the role's trust policy does not admit it"}
}

// SetResourcePolicy implements kernel.ResourcePolicies.
func (a *Authority) SetResourcePolicy(resource string, policy json.RawMessage) error {
	if len(policy) == 0 || string(policy) == "null" {
		a.mu.Lock()
		delete(a.carried, resource)
		a.mu.Unlock()
		return nil
	}
	d, err := parse("of "+resource, policy, true)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.carried[resource] = d
	a.mu.Unlock()
	return nil
}
