package tqv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// An Entry is points of one series, by the series' name.
type Entry struct {
	Series string
	Points []Point
}

// A Log keeps points in a file, in the order in which they came. Append returns
// once the operating system has them: a killed process loses no appended point,
// a machine that loses power may lose the last ones. The file starts with a line
// that names its format; an unknown one is refused.
//
// A record is its length and CRC-32 (4 bytes each, big-endian) and then, per
// series, its name and its points in varints. A record that a kill cut short is
// cut off when the log is opened.
type Log struct {
	mu   sync.Mutex
	file *os.File
	buf  []byte
}

const magic = "tqv log, version 1\n"

// maxRecord is far above what one request can hold.
const maxRecord = 64 << 20

// OpenLog opens or makes the log at path and passes what it holds to replay.
func OpenLog(path string, replay func(Entry)) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open the log of values: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller's own state folder
	if err != nil {
		return nil, fmt.Errorf("open the log of values: %w", err)
	}
	end, err := load(file, replay)
	if err == nil {
		err = file.Truncate(end)
	}
	if err == nil {
		_, err = file.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the log of values %s: %w", path, errors.Join(err, file.Close()))
	}
	return &Log{file: file}, nil
}

// load reads whole records and returns where the last one ends.
func load(file *os.File, replay func(Entry)) (int64, error) {
	r := bufio.NewReaderSize(file, 1<<20)
	head := make([]byte, len(magic))
	n, err := io.ReadFull(r, head)
	switch {
	case err == nil && string(head) != magic:
		return 0, fmt.Errorf("it is not a %q; delete the state folder to start afresh", magic[:len(magic)-1])
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && string(head[:n]) == magic[:n]:
		_, err := file.WriteAt([]byte(magic), 0)
		return int64(len(magic)), err
	case err != nil:
		return 0, err
	}
	end := int64(len(magic))
	var frame [8]byte
	for {
		if _, err := io.ReadFull(r, frame[:]); err != nil {
			return end, ignoreEOF(err)
		}
		size := binary.BigEndian.Uint32(frame[:4])
		if size > maxRecord {
			return end, nil
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(r, record); err != nil {
			return end, ignoreEOF(err)
		}
		if crc32.ChecksumIEEE(record) != binary.BigEndian.Uint32(frame[4:]) {
			return end, nil
		}
		if err := decode(record, replay); err != nil {
			return end, err
		}
		end += int64(len(frame)) + int64(size)
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Append writes entries as one record.
func (l *Log) Append(entries []Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(l.buf[:0], make([]byte, 8)...)
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(len(e.Series)))
		b = append(b, e.Series...)
		b = binary.AppendUvarint(b, uint64(len(e.Points)))
		for _, p := range e.Points {
			b = binary.AppendVarint(b, p.Time)
			b = append(b, byte(p.Quality), byte(p.Value.Kind))
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(p.Value.Number))
			b = binary.AppendUvarint(b, uint64(len(p.Value.Text)))
			b = append(b, p.Value.Text...)
		}
	}
	l.buf = b
	binary.BigEndian.PutUint32(b, uint32(len(b)-8)) //nolint:gosec // a request is far smaller
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[8:]))
	if _, err := l.file.Write(b); err != nil {
		return fmt.Errorf("write the log of values: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

var errRecord = errors.New("a record with a correct checksum cannot be read")

func decode(b []byte, replay func(Entry)) error {
	d := decoder{b: b}
	for len(d.b) > 0 && !d.failed {
		e := Entry{Series: d.text()}
		n := d.uvarint()
		for i := uint64(0); i < n && !d.failed; i++ {
			p := Point{Time: d.varint()}
			p.Quality, p.Value.Kind = Quality(d.byte()), Kind(d.byte())
			p.Value.Number = math.Float64frombits(d.uint64())
			p.Value.Text = d.text()
			if p.Quality > Bad || p.Value.Kind > Null {
				d.failed = true
			}
			e.Points = append(e.Points, p)
		}
		if !d.failed {
			replay(e)
		}
	}
	if d.failed {
		return errRecord
	}
	return nil
}

// A decoder reads a record and remembers whether it ran out of bytes.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || n > len(d.b) {
		d.failed = true
		return make([]byte, min(max(n, 0), 8))
	}
	t := d.b[:n]
	d.b = d.b[n:]
	return t
}

func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.failed = true
		return ""
	}
	return string(d.take(int(n))) //nolint:gosec // bounded above
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}
