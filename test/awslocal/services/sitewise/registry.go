package sitewise

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// model is an asset model.
type model struct {
	id, arn, name, description, externalID string
	kind                                   string // ASSET_MODEL or COMPONENT_MODEL
	created, updated                       time.Time
	properties                             []*modelProperty
	hierarchies                            []modelHierarchy
	digest                                 [sha256.Size]byte // of the template's properties
}

type modelHierarchy struct {
	id, logicalID, externalID, name, childModelID string
}

// asset is one asset of a model.
type asset struct {
	id, arn, name, description, externalID string
	model                                  *model
	created, updated                       time.Time
	properties                             []*property // in the model's order
	children                               map[string][]*asset
	parent                                 *asset
	parentHierarchy                        string // id, of the parent's model
	digest                                 [sha256.Size]byte
}

// property is a property of one asset, and its series.
type property struct {
	*modelProperty

	asset        *asset
	alias, unit  string
	notification string // ENABLED or DISABLED
	created      time.Time
	series       *tqv.Series
	compute      *computation // of a transform or a metric
	dependents   []*computation
}

// seriesName names a series in the log.
func (p *property) seriesName() string { return p.asset.id + "/" + p.id }

// registry holds models and assets.
type registry struct {
	mu      sync.RWMutex
	models  map[string]*model
	assets  map[string]*asset
	aliases map[string]*property
}

func newRegistry() *registry {
	return &registry{models: map[string]*model{}, assets: map[string]*asset{}, aliases: map[string]*property{}}
}

func notFound(format string, args ...any) *kernel.Error {
	return kernel.Errorf(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

func invalid(format string, args ...any) *kernel.Error {
	return kernel.Errorf(http.StatusBadRequest, "InvalidRequestException", format, args...)
}

// model finds an asset model by id or externalId:….
func (r *registry) model(id string) (*model, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.modelLocked(id)
}

func (r *registry) modelLocked(id string) (*model, error) {
	if m, ok := r.models[id]; ok {
		return m, nil
	}
	if external, ok := strings.CutPrefix(id, "externalId:"); ok {
		for _, m := range r.models {
			if m.externalID == external {
				return m, nil
			}
		}
	}
	return nil, notFound("Asset model with id %s not found", id)
}

// asset finds an asset by id or externalId:….
func (r *registry) asset(id string) (*asset, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.assetLocked(id)
}

func (r *registry) assetLocked(id string) (*asset, error) {
	if a, ok := r.assets[id]; ok {
		return a, nil
	}
	if external, ok := strings.CutPrefix(id, "externalId:"); ok {
		for _, a := range r.assets {
			if a.externalID == external {
				return a, nil
			}
		}
	}
	return nil, notFound("Asset with id %s not found", id)
}

// propertyRef names a property as requests do.
type propertyRef struct {
	AssetID       string `json:"assetId"`
	PropertyID    string `json:"propertyId"`
	PropertyAlias string `json:"propertyAlias"`
}

// property finds the property that ref names.
func (r *registry) property(ref propertyRef) (*property, error) {
	byID := ref.AssetID != "" || ref.PropertyID != ""
	switch {
	case byID == (ref.PropertyAlias != ""):
		return nil, invalid("Specify either propertyAlias, or assetId and propertyId")
	case byID && (ref.AssetID == "" || ref.PropertyID == ""):
		return nil, invalid("assetId and propertyId must be given together")
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !byID {
		p, ok := r.aliases[ref.PropertyAlias]
		if !ok {
			return nil, notFound("Property with alias %s not found; data streams that belong to no asset property are not stored (disassociatedDataStorage is DISABLED)", ref.PropertyAlias)
		}
		return p, nil
	}
	a, err := r.assetLocked(ref.AssetID)
	if err != nil {
		return nil, err
	}
	return a.property(ref.PropertyID)
}

// property finds a property of an asset by id or externalId:….
func (a *asset) property(id string) (*property, error) {
	external, isExternal := strings.CutPrefix(id, "externalId:")
	for _, p := range a.properties {
		if p.id == id || isExternal && p.externalID == external {
			return p, nil
		}
	}
	return nil, notFound("Property with id %s not found in asset %s", id, a.id)
}

// sortedModels and sortedAssets list by name, then id.
func (r *registry) sortedModels() []*model {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*model, 0, len(r.models))
	for _, m := range r.models {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *model) int { return strings.Compare(a.name+"\x00"+a.id, b.name+"\x00"+b.id) })
	return list
}

func (r *registry) sortedAssets(keep func(*asset) bool) []*asset {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []*asset
	for _, a := range r.assets {
		if keep(a) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *asset) int { return strings.Compare(a.name+"\x00"+a.id, b.name+"\x00"+b.id) })
	return list
}

// uuid makes an id out of names, in the form of a version 8 UUID (RFC 9562), so
// that two runs agree.
func uuid(names ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
