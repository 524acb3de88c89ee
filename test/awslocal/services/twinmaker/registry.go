package twinmaker

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// registry holds what is deployed.
type registry struct {
	mu         sync.RWMutex
	workspaces map[string]*workspace
}

type workspace struct {
	id, arn, description, role, bucket string // bucket is its ARN
	created                            time.Time
	types                              map[string]*componentType
	entities                           map[string]*entity
	scenes                             map[string]*scene
}

type componentType struct {
	id, description string
	extends         []string // direct parents
	singleton       bool
	abstract        bool
	created         time.Time
	definitions     map[string]*definition // inherited ones included
	functions       map[string]*function   // inherited ones included
	properties      []byte                 // of the template; nil for a built-in
}

// definition is the API's PropertyDefinition.
type definition struct {
	dataType         *dataType
	defaultValue     value
	displayName      string
	configuration    map[string]string
	required         bool // in an entity
	external         bool // an external id
	storedExternally bool
	timeSeries       bool
	imported         bool
	inherited        bool
}

type function struct {
	scope     string
	lambda    string // ARN
	native    bool
	required  []string
	inherited bool
}

type entity struct {
	id, name, description, parent string // parent is $ROOT at the top
	created                       time.Time
	components                    map[string]*component
	properties                    []byte // of the template
}

type component struct {
	name, description string
	typ               *componentType
	definitions       map[string]*definition // the type's, and imported ones
	values            map[string]value
}

type scene struct {
	id, description, location string
	capabilities              []string
	metadata                  map[string]string
	created                   time.Time
}

func newRegistry() *registry { return &registry{workspaces: map[string]*workspace{}} }

func notFound(format string, args ...any) *kernel.Error {
	return kernel.Errorf(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

func invalid(format string, args ...any) *kernel.Error {
	return kernel.Errorf(http.StatusBadRequest, "ValidationException", format, args...)
}

// workspace finds a workspace by id or ARN. The caller holds the lock.
func (r *registry) workspace(id string) (*workspace, error) {
	if _, after, ok := strings.Cut(id, ":workspace/"); ok {
		id = after
	}
	w, ok := r.workspaces[id]
	if !ok {
		return nil, notFound("Workspace %s not found", id)
	}
	return w, nil
}

// sorted returns the values of m by key.
func sorted[V any](m map[string]V) []V {
	list := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

// descends reports whether t is or extends, at any distance, the type id.
func (w *workspace) descends(t *componentType, id string) bool {
	if t.id == id {
		return true
	}
	return slices.ContainsFunc(t.extends, func(parent string) bool {
		p, ok := w.types[parent]
		return ok && w.descends(p, id)
	})
}

// ancestors returns the direct parents of t, nearest last.
func (w *workspace) ancestors(extends []string) ([]*componentType, error) {
	var list []*componentType
	for _, id := range extends {
		p, ok := w.types[id]
		switch {
		case ok:
			list = append(list, p)
		case namedOnly[id]:
			return nil, invalid("The built-in component type %s is not provided by the local endpoint", id)
		default:
			return nil, notFound("Component type %s not found in workspace %s", id, w.id)
		}
	}
	return list, nil
}

// paging is what list operations have in common. An empty token is none, and a
// maxResults of 0 is the default.
type paging struct {
	NextToken  string `json:"nextToken"`
	MaxResults int    `json:"maxResults"`
}

// listPage is the largest page, and the default.
const listPage = 200

// page cuts one page out of all; the token holds how many were read.
func page[T any](in paging, all []T, describe func(T) object) (items []object, next string, err error) {
	at := 0
	if in.NextToken != "" {
		raw, err := base64.StdEncoding.DecodeString(in.NextToken)
		if err == nil {
			at, err = strconv.Atoi(string(raw))
		}
		if err != nil || at < 0 || at > len(all) {
			return nil, "", invalid("The nextToken is not one that this operation returned")
		}
	}
	limit := in.MaxResults
	if limit == 0 {
		limit = listPage
	}
	end := min(at+limit, len(all))
	items = []object{}
	for _, x := range all[at:end] {
		items = append(items, describe(x))
	}
	if end < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(end)))
	}
	return items, next, nil
}
