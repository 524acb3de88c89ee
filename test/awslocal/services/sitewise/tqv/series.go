package tqv

import (
	"math"
	"sort"
	"sync"
)

// A Series is an ordered list of points, at most one per time and quality. Its
// zero value is empty and ready; it is safe for concurrent use.
type Series struct {
	mu     sync.RWMutex
	points []Point
}

// Put adds points; one with the time and quality of an older one replaces it.
func (s *Series) Put(points ...Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range points {
		s.put(p)
	}
}

func (s *Series) put(p Point) {
	n := len(s.points)
	if n == 0 || s.points[n-1].before(p) { // data mostly comes in order
		s.points = append(s.points, p)
		return
	}
	i := s.search(p.Time, p.Quality)
	if i < n && s.points[i].Time == p.Time && s.points[i].Quality == p.Quality {
		s.points[i] = p
		return
	}
	s.points = append(s.points, Point{})
	copy(s.points[i+1:], s.points[i:])
	s.points[i] = p
}

// search returns the index of the first point at or after (t, q).
func (s *Series) search(t int64, q Quality) int {
	return sort.Search(len(s.points), func(i int) bool {
		return !s.points[i].before(Point{Time: t, Quality: q})
	})
}

// after returns the index of the first point whose time is after t.
func (s *Series) after(t int64) int {
	if t == math.MaxInt64 {
		return len(s.points)
	}
	return s.search(t+1, Good)
}

// Range returns a copy of the points with from < Time <= to.
func (s *Series) Range(from, to int64) []Point {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, j := s.after(from), s.after(to)
	if i >= j {
		return nil
	}
	return append([]Point(nil), s.points[i:j]...)
}

// Len is the number of points.
func (s *Series) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.points)
}

// Last returns the newest point.
func (s *Series) Last() (Point, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.points) == 0 {
		return Point{}, false
	}
	return s.points[len(s.points)-1], true
}

// Usable returns the newest good, usable point at or before t.
func (s *Series) Usable(t int64) (Point, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := s.after(t) - 1; i >= 0; i-- {
		if p := s.points[i]; p.Quality == Good && p.Value.Usable() {
			return p, true
		}
	}
	return Point{}, false
}

// First returns the oldest good, usable point after t.
func (s *Series) First(t int64) (Point, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.points[s.after(t):] {
		if p.Quality == Good && p.Value.Usable() {
			return p, true
		}
	}
	return Point{}, false
}

// Replace removes the points with from <= Time <= to and puts points, which lie
// there and are in order, in their place. It returns the removed ones.
func (s *Series) Replace(from, to int64, points []Point) []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, j := s.search(from, Good), s.after(to)
	if i > j {
		i = j
	}
	removed := append([]Point(nil), s.points[i:j]...)
	tail := append([]Point(nil), s.points[j:]...)
	s.points = append(append(s.points[:i], points...), tail...)
	return removed
}

// A Page is a part of a series in a reading order.
type Page struct {
	Points []Point
	More   bool // points follow
}

// A Cursor is the last point of a page.
type Cursor struct {
	Time    int64   `json:"t"`
	Quality Quality `json:"q"`
}

// Read returns up to limit points with from < Time <= to that keep accepts,
// newest first when descending, from behind the cursor when there is one.
func (s *Series) Read(from, to int64, descending bool, after *Cursor, limit int, keep func(Point) bool) Page {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, j := s.after(from), s.after(to)
	step, at, end := 1, i, j
	if after != nil {
		at = max(i, s.behind(*after))
	}
	if descending {
		step, at, end = -1, j-1, i-1
		if after != nil {
			at = min(j, s.search(after.Time, after.Quality)) - 1
		}
	}
	var page Page
	for ; (end-at)*step > 0; at += step {
		p := s.points[at]
		if keep != nil && !keep(p) {
			continue
		}
		if len(page.Points) == limit {
			page.More = true
			break
		}
		page.Points = append(page.Points, p)
	}
	return page
}

// behind returns the index of the first point after c.
func (s *Series) behind(c Cursor) int {
	i := s.search(c.Time, c.Quality)
	if i < len(s.points) && s.points[i].Time == c.Time && s.points[i].Quality == c.Quality {
		i++
	}
	return i
}
