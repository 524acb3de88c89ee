package assembly

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An Uploader takes the assets that `cdk deploy` would upload.
type Uploader interface {
	EnsureBucket(ctx context.Context, name string) error
	Upload(ctx context.Context, bucket, key string, body io.ReadSeeker) error
}

// Publish uploads the assets that something may read: every file but the
// templates themselves, and those folders, as zip files, to which a template
// refers beside the code of a function, which runs from the folder.
func (a *Assembly) Publish(ctx context.Context, to Uploader) error {
	referred, err := a.referred()
	if err != nil {
		return err
	}
	var buckets []string
	for _, asset := range a.Assets {
		if !slices.Contains(buckets, asset.Bucket) {
			if err := to.EnsureBucket(ctx, asset.Bucket); err != nil {
				return fmt.Errorf("publish assets: %w", err)
			}
			buckets = append(buckets, asset.Bucket)
		}
		if strings.HasSuffix(asset.Path, ".template.json") || asset.Zip && !bytes.Contains(referred, []byte(asset.Hash)) {
			continue
		}
		if err := publish(ctx, to, asset); err != nil {
			return fmt.Errorf("publish asset %s: %w", asset.Path, err)
		}
	}
	return nil
}

// referred returns the text of all resources but for the functions' code.
func (a *Assembly) referred() ([]byte, error) {
	var out bytes.Buffer
	for _, s := range a.Stacks {
		for id, r := range s.Template.Resources {
			properties := r.Properties
			if r.Type == "AWS::Lambda::Function" {
				properties = map[string]any{}
				for name, v := range r.Properties {
					if name != "Code" {
						properties[name] = v
					}
				}
			}
			data, err := json.Marshal(properties)
			if err != nil {
				return nil, fmt.Errorf("stack %s: resource %s: %w", s.Name, id, err)
			}
			out.Write(data)
		}
	}
	return out.Bytes(), nil
}

func publish(ctx context.Context, to Uploader, asset Asset) error {
	if asset.Zip {
		data, err := zipFolder(asset.Path)
		if err != nil {
			return err
		}
		return to.Upload(ctx, asset.Bucket, asset.Key, bytes.NewReader(data))
	}
	f, err := os.Open(asset.Path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	return to.Upload(ctx, asset.Bucket, asset.Key, f)
}

// zipFolder packs a folder as the CDK does: the same bytes for the same files,
// whenever they were written.
func zipFolder(dir string) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(info.Mode())
		file, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // a file of the asset's folder
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
