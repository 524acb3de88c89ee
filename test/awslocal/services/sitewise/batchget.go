package sitewise

import (
	"context"
	"encoding/json"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// entryResult collects the three lists of a batch reply.
type entryResult struct {
	Success []json.RawMessage `json:"successEntries"`
	Errors  []entryError      `json:"errorEntries"`
	Skipped []struct{}        `json:"skippedEntries"` // entries already finished on an earlier page are simply absent
	Next    string            `json:"nextToken,omitempty"`
}

type entryError struct {
	EntryID string `json:"entryId"`
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
}

func newEntryResult() *entryResult {
	return &entryResult{Success: []json.RawMessage{}, Errors: []entryError{}, Skipped: []struct{}{}}
}

func (r *entryResult) fail(id string, err error) {
	code, message := codeOf(err)
	r.Errors = append(r.Errors, entryError{id, code, message})
}

func duplicate(ids []string) error {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return invalid("Duplicate entryId %s in the request", id)
		}
		seen[id] = true
	}
	return nil
}

func (s *Service) batchGetValue(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Entries []struct {
			propertyRef

			EntryID string `json:"entryId"`
		} `json:"entries"`
		NextToken string `json:"nextToken"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if in.NextToken != "" {
		return nil, invalid("The nextToken is not one that this operation returned")
	}
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.EntryID
	}
	if err := duplicate(ids); err != nil {
		return nil, err
	}
	now := tqv.Nanos(s.clock.Now())
	out := newEntryResult()
	for _, e := range in.Entries {
		p, err := s.find(c, e.propertyRef)
		if err != nil {
			out.fail(e.EntryID, err)
			continue
		}
		p.refresh(now)
		entry := appendString([]byte(`{"entryId":`), e.EntryID)
		if last, ok := p.series.Last(); ok {
			entry = appendPoint(append(entry, `,"assetPropertyValue":`...), last)
		}
		out.Success = append(out.Success, append(entry, '}'))
	}
	return out, nil
}

// batchToken says where a page of a batch goes on: at which entry, behind which
// value.
type batchToken struct {
	Entry  int         `json:"e"`
	Cursor *tqv.Cursor `json:"c,omitempty"`
	After  *int64      `json:"a,omitempty"`
}

func (s *Service) batchGetHistory(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Entries []struct {
			rangeQuery

			EntryID string `json:"entryId"`
		} `json:"entries"`
		MaxResults int    `json:"maxResults"`
		NextToken  string `json:"nextToken"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.EntryID
	}
	return pages(ids, in.NextToken, in.MaxResults, func(i int, at batchToken, limit int, out *entryResult) (int, *batchToken) {
		e := &in.Entries[i]
		p, err := s.find(c, e.propertyRef)
		if err != nil {
			out.fail(e.EntryID, err)
			return 0, nil
		}
		entry := append(appendString([]byte(`{"entryId":`), e.EntryID), `,"assetPropertyValueHistory":`...)
		entry, n, next, err := s.history(entry, p, &e.rangeQuery, at.Cursor, limit)
		if err != nil {
			out.fail(e.EntryID, err)
			return 0, nil
		}
		out.Success = append(out.Success, append(entry, '}'))
		if next != nil {
			return n, &batchToken{Entry: i, Cursor: next}
		}
		return n, nil
	})
}

func (s *Service) batchGetAggregates(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Entries []struct {
			aggregateQuery

			EntryID string `json:"entryId"`
		} `json:"entries"`
		MaxResults int    `json:"maxResults"`
		NextToken  string `json:"nextToken"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.EntryID
	}
	return pages(ids, in.NextToken, in.MaxResults, func(i int, at batchToken, limit int, out *entryResult) (int, *batchToken) {
		e := &in.Entries[i]
		p, err := s.find(c, e.propertyRef)
		if err != nil {
			out.fail(e.EntryID, err)
			return 0, nil
		}
		values, next, err := s.aggregates(p, &e.aggregateQuery, at.After, limit)
		if err != nil {
			out.fail(e.EntryID, err)
			return 0, nil
		}
		raw, err := json.Marshal(map[string]any{"entryId": e.EntryID, "aggregatedValues": values})
		if err != nil {
			out.fail(e.EntryID, err)
			return 0, nil
		}
		out.Success = append(out.Success, raw)
		if next != nil {
			return len(values), &batchToken{Entry: i, After: next}
		}
		return len(values), nil
	})
}

// pages reads entry after entry until the page is full. read returns how many
// values it added, and where to go on when it could not finish.
func pages(ids []string, token string, limit int, read func(i int, at batchToken, limit int, out *entryResult) (int, *batchToken)) (any, error) {
	if err := duplicate(ids); err != nil {
		return nil, err
	}
	var at batchToken
	if err := decodeToken(token, &at); err != nil {
		return nil, err
	}
	if at.Entry < 0 || at.Entry >= len(ids) {
		return nil, invalid("The nextToken is not one that this operation returned for these entries")
	}
	if limit == 0 {
		limit = historyPage
	}
	out := newEntryResult()
	for i := at.Entry; i < len(ids); i++ {
		if limit <= 0 {
			out.Next = encodeToken(batchToken{Entry: i})
			break
		}
		n, next := read(i, at, limit, out)
		if next != nil {
			out.Next = encodeToken(next)
			break
		}
		limit -= n
		at = batchToken{}
	}
	return out, nil
}
