package batch

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// findImage finds the build context of an image in a cloud assembly: the image
// is repository:tag of one of the dockerImages in the stacks' asset manifests.
func findImage(assembly, name string, id kernel.Identity) (*image, error) {
	manifests, err := filepath.Glob(filepath.Join(assembly, "*.assets.json"))
	if err != nil {
		return nil, fmt.Errorf("list asset manifests: %w", err)
	}
	slices.Sort(manifests)
	var known []string
	for _, manifest := range manifests {
		text, err := os.ReadFile(manifest) //nolint:gosec // of the cloud assembly that is being deployed
		if err != nil {
			return nil, fmt.Errorf("read asset manifest: %w", err)
		}
		var m struct {
			DockerImages map[string]struct {
				Source struct {
					Directory       string            `json:"directory"`
					DockerFile      string            `json:"dockerFile"`
					DockerBuildArgs map[string]string `json:"dockerBuildArgs"`
					Executable      []string          `json:"executable"`
				} `json:"source"`
				Destinations map[string]struct {
					RepositoryName string `json:"repositoryName"`
					ImageTag       string `json:"imageTag"`
				} `json:"destinations"`
			} `json:"dockerImages"`
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", manifest, err)
		}
		for _, docker := range m.DockerImages {
			for _, d := range docker.Destinations {
				pushed := resolve(d.RepositoryName+":"+d.ImageTag, id)
				known = append(known, pushed)
				if name != pushed && !strings.HasSuffix(name, "/"+pushed) {
					continue
				}
				if len(docker.Source.DockerBuildArgs) > 0 || len(docker.Source.Executable) > 0 {
					return nil, fmt.Errorf("%s: image %s has build arguments or is built by a program; this endpoint runs prebuilt programs only", manifest, pushed)
				}
				file := docker.Source.DockerFile
				if file == "" {
					file = "Dockerfile"
				}
				dir := docker.Source.Directory
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(assembly, dir)
				}
				return parseImage(dir, file)
			}
		}
	}
	return nil, fmt.Errorf("image %s is not an asset of %s, which has %s: only images of the cloud assembly can be run", name, assembly, strings.Join(slices.Compact(known), ", "))
}

// resolve replaces the pseudo parameters that asset manifests use.
func resolve(s string, id kernel.Identity) string {
	return strings.NewReplacer(
		"${AWS::AccountId}", id.Account, "${AWS::Region}", id.Region, "${AWS::Partition}", id.Partition,
	).Replace(s)
}

// machines are the architectures by Go's names.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkProgram reports why a file cannot be run on this machine.
func checkProgram(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("program of the image: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("program %s is not an executable file", file)
	}
	f, err := elf.Open(file)
	if _, ok := errors.AsType[*elf.FormatError](err); ok {
		return nil // a script: the kernel decides
	}
	if err != nil {
		return fmt.Errorf("program of the image: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if want := machines[runtime.GOARCH]; f.Machine != want {
		return fmt.Errorf("program %s was built for %s, this machine is %s; build it for this machine", file, machineName(f.Machine), machineName(want))
	}
	return nil
}

func machineName(m elf.Machine) string {
	if name, ok := map[elf.Machine]string{elf.EM_X86_64: "x86-64", elf.EM_AARCH64: "arm64"}[m]; ok {
		return name
	}
	return m.String()
}
