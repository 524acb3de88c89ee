package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Stamp is the layout of times in files: UTC with milliseconds.
const Stamp = "2006-01-02T15:04:05.000Z"

// A Summary says what WriteFiles wrote.
type Summary struct {
	Files       []string // paths
	Readings    int
	First, Last time.Time // of the readings
}

// WriteFiles simulates the experiment into a folder: one CSV per cell with the
// columns time, cycle, voltage_V, current_A and temperature_C, and capacity.csv
// with the measured capacity of every discharge, in the format of NASA's data.
// The folder is created; a file that exists is not overwritten unless force is
// set. On an error files may be incomplete.
func WriteFiles(c Config, dir string, force bool) (s Summary, err error) {
	if err := c.Validate(); err != nil {
		return Summary{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // telemetry is for everyone to read
		return Summary{}, fmt.Errorf("make the folder for telemetry: %w", err)
	}
	open := func(name, header string) (*table, error) {
		path := filepath.Join(dir, name)
		s.Files = append(s.Files, path)
		return newTable(path, header, force)
	}
	capacity, err := open("capacity.csv", "cell,cycle,start,ambient_C,capacity_Ah")
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, capacity.close()) }()

	var file *table
	defer func() {
		if file != nil {
			err = errors.Join(err, file.close())
		}
	}()
	err = Run(c, func(d Discharge) error {
		if d.Cycle == 1 {
			if file != nil {
				if err := file.close(); err != nil {
					return err
				}
				file = nil
			}
			f, err := open(Name(d.Cell)+".csv", "time,cycle,voltage_V,current_A,temperature_C")
			if err != nil {
				return err
			}
			file = f
		}
		for _, r := range d.Readings {
			file.row(r.Time.Format(Stamp), strconv.Itoa(r.Cycle),
				r.Voltage.text(4), r.Current.text(4), r.Temperature.text(2))
			s.Readings++
			if s.First.IsZero() || r.Time.Before(s.First) {
				s.First = r.Time
			}
			if r.Time.After(s.Last) {
				s.Last = r.Time
			}
		}
		capacity.row(Name(d.Cell), strconv.Itoa(d.Cycle), d.Start.Format(Stamp),
			strconv.FormatFloat(d.Ambient, 'f', -1, 64), strconv.FormatFloat(d.Capacity, 'f', 6, 64))
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	return s, nil
}

func (f Field) text(digits int) string {
	switch {
	case f.Blank:
		return ""
	case math.IsNaN(f.Value):
		return "NaN"
	default:
		return strconv.FormatFloat(f.Value, 'f', digits, 64)
	}
}

// table is a CSV file being written; no field of ours needs quotes.
type table struct {
	file *os.File
	out  *bufio.Writer
}

func newTable(path, header string, force bool) (*table, error) {
	flags := os.O_CREATE | os.O_WRONLY
	if force {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0o644) //nolint:gosec // the path is what the user asked for; telemetry is for everyone to read
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists: choose another folder, or overwrite it with --force", path)
	}
	if err != nil {
		return nil, fmt.Errorf("write telemetry: %w", err)
	}
	t := &table{file: f, out: bufio.NewWriter(f)}
	t.row(header)
	return t, nil
}

// row appends a line; an error shows at close.
func (t *table) row(fields ...string) {
	for i, f := range fields {
		if i > 0 {
			_ = t.out.WriteByte(',')
		}
		_, _ = t.out.WriteString(f)
	}
	_ = t.out.WriteByte('\n')
}

func (t *table) close() error {
	if err := errors.Join(t.out.Flush(), t.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", t.file.Name(), err)
	}
	return nil
}
