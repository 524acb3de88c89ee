package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// An image is what a Dockerfile says of running a program that was built
// before: no layer is ever made.
type image struct {
	dir        string // of the Dockerfile: the build context
	copies     []copied
	workdir    string // in the container
	env        []string
	entrypoint []string
	cmd        []string
}

// A copied is one COPY instruction: host paths and where they are in the
// container.
type copied struct {
	sources []string // relative to the context
	target  string   // absolute; ends in a slash for a folder
}

// parseImage reads the Dockerfile of a build context. Only FROM, COPY from the
// context, USER, WORKDIR, ENV, and ENTRYPOINT and CMD in exec form are taken;
// anything else, RUN included, is an error with its line: what such an
// instruction does cannot be had without building the image.
func parseImage(dir, dockerfile string) (*image, error) {
	name := filepath.Join(dir, dockerfile)
	text, err := os.ReadFile(name) //nolint:gosec // named by the cloud assembly that is being deployed
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile: %w", err)
	}
	m := &image{dir: dir, workdir: "/"}
	from := false
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		instruction = strings.ToUpper(instruction)
		if instruction == "FROM" && from {
			err = errors.New("a second FROM: builds of several stages are not run")
		} else {
			from = from || instruction == "FROM"
			err = m.apply(instruction, strings.TrimSpace(rest))
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !from {
		return nil, fmt.Errorf("%s: no FROM", name)
	}
	return m, nil
}

func (m *image) apply(instruction, rest string) error {
	if strings.HasSuffix(rest, `\`) {
		return fmt.Errorf("%s continues on the next line; write it on one", instruction)
	}
	switch instruction {
	case "FROM":
		if rest == "" || strings.Contains(strings.ToLower(rest), " as ") {
			return errors.New("FROM wants one base image, without AS")
		}
	case "USER": // the program runs as whoever runs the endpoint
		if rest == "" {
			return errors.New("USER wants a user")
		}
	case "WORKDIR":
		if rest == "" || strings.Contains(rest, "$") {
			return errors.New("WORKDIR wants a path without variables")
		}
		m.workdir = m.absolute(rest)
	case "ENV":
		return m.setEnv(rest)
	case "COPY":
		return m.copy(rest)
	case "ENTRYPOINT", "CMD":
		var words []string
		if err := json.Unmarshal([]byte(rest), &words); err != nil || len(words) == 0 {
			return fmt.Errorf(`%s must be in exec form, such as ["/app/program"]`, instruction)
		}
		if instruction == "CMD" {
			m.cmd = words
		} else {
			m.entrypoint, m.cmd = words, nil // as Docker: ENTRYPOINT resets CMD of the base
		}
	default:
		return fmt.Errorf("%s: this endpoint runs a prebuilt program; it takes FROM, COPY, USER, WORKDIR, ENV, and ENTRYPOINT and CMD in exec form", instruction)
	}
	return nil
}

func (m *image) absolute(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(m.workdir, p)
}

func (m *image) setEnv(rest string) error {
	for word := range strings.FieldsSeq(rest) {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" || strings.ContainsAny(value, `"'\$`) {
			return fmt.Errorf("ENV %s: want NAME=value pairs without quotes or variables", rest)
		}
		m.env = append(m.env, name+"="+value)
	}
	return nil
}

func (m *image) copy(rest string) error {
	words := strings.Fields(rest)
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if !strings.HasPrefix(words[0], "--chown=") && !strings.HasPrefix(words[0], "--chmod=") {
			return fmt.Errorf("COPY %s: only --chown and --chmod are taken", words[0])
		}
		words = words[1:]
	}
	if len(words) < 2 || strings.HasPrefix(rest, "[") || strings.ContainsAny(rest, "*?$") {
		return errors.New("COPY wants sources and a target, without wildcards, variables or exec form")
	}
	target := words[len(words)-1]
	c := copied{sources: words[:len(words)-1], target: m.absolute(target)}
	if strings.HasSuffix(target, "/") || len(c.sources) > 1 {
		c.target = strings.TrimSuffix(c.target, "/") + "/"
	}
	for _, s := range c.sources {
		if !filepath.IsLocal(filepath.FromSlash(strings.TrimPrefix(s, "/"))) {
			return fmt.Errorf("COPY %s: outside the build context", s)
		}
		if _, err := os.Stat(filepath.Join(m.dir, s)); err != nil {
			return fmt.Errorf("COPY %s: %w", s, err)
		}
	}
	m.copies = append(m.copies, c)
	return nil
}

// host finds the file on this machine that is at a path in the container.
func (m *image) host(container string) (string, error) {
	container = path.Clean(container)
	for _, c := range slices.Backward(m.copies) { // the last COPY of a path wins
		for _, s := range c.sources {
			file, ok := c.find(m.dir, s, container)
			if ok {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("no COPY of the Dockerfile in %s puts %s into the image", m.dir, container)
}

// find maps a container path to what one source of a COPY put there.
func (c copied) find(dir, source, container string) (string, bool) {
	from := filepath.Join(dir, source)
	info, err := os.Stat(from)
	if err != nil {
		return "", false
	}
	target := path.Clean(c.target)
	if !info.IsDir() {
		if strings.HasSuffix(c.target, "/") {
			target = path.Join(target, path.Base(source))
		}
		return from, container == target
	}
	if container == target {
		return from, true
	}
	below, ok := strings.CutPrefix(container, strings.TrimSuffix(target, "/")+"/")
	if !ok {
		return "", false
	}
	file := filepath.Join(from, filepath.FromSlash(below))
	_, err = os.Stat(file)
	return file, err == nil
}
