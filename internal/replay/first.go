package replay

import (
	"path"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// First keeps the first n segments of every asset and returns how many it had
// at most. A segment here is one of the asset's own: assets that are measured
// at different times keep n each.
func (r *Recording) First(n int, gap time.Duration) (most int) {
	byAsset := map[string][]int{}
	for i, s := range r.Series {
		asset := path.Dir(string(s.Alias))
		byAsset[asset] = append(byAsset[asset], i)
	}
	for _, series := range byAsset {
		own := Recording{}
		for _, i := range series {
			own.Series = append(own.Series, r.Series[i])
		}
		all := segments(&own, gap)
		most = max(most, len(all))
		if len(all) <= n {
			continue
		}
		end := all[n-1].Last
		for _, i := range series {
			s := &r.Series[i]
			k, _ := slices.BinarySearchFunc(s.Samples, end, func(x telemetry.Sample, end time.Time) int {
				if x.Time.After(end) {
					return 1
				}
				return -1
			})
			s.Samples = s.Samples[:k]
		}
	}
	return most
}
