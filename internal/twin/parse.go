package twin

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/livetwin/livetwin/internal/plant"
)

// A ModelCatalog describes physics models by name; internal/plant/all has one.
type ModelCatalog func(name string) (plant.Description, bool)

// An Option adds what a twin is checked against.
type Option func(*options)

type options struct {
	models ModelCatalog
	files  fs.FS
}

// WithModels checks calibrations against a catalogue of models: their inputs,
// outputs, parameters and units. Without it they are taken as they are.
func WithModels(catalog ModelCatalog) Option { return func(o *options) { o.models = catalog } }

// WithFiles gives the folder in which the 3D files of scenes lie. Without it a
// scene that names a file is refused.
func WithFiles(folder fs.FS) Option { return func(o *options) { o.files = folder } }

// Load reads and checks the twin in a file; 3D files of scenes are read from
// the file's folder. The error is [Errors] when the twin has mistakes.
func Load(file string, opts ...Option) (*Twin, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the file that the caller names
	if err != nil {
		return nil, fmt.Errorf("read the twin: %w", err)
	}
	t, errs := Parse(file, data, append([]Option{WithFiles(os.DirFS(filepath.Dir(file)))}, opts...)...)
	if err := errs.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Parse reads and checks a twin. name stands for the file in errors. With
// mistakes it returns all of them and no twin.
func Parse(name string, data []byte, opts ...Option) (*Twin, Errors) {
	d := &decoder{source: newSource(name)}
	t := &Twin{source: d.source}
	for _, o := range opts {
		o(&t.options)
	}
	d.document(data, t)
	errs := d.errs
	if len(d.source.values) > 0 && !d.source.broken[""] {
		_, more := analyse(t)
		errs = append(errs, more...)
	}
	if errs = errs.sorted(); len(errs) > 0 {
		return nil, errs
	}
	return t, nil
}
