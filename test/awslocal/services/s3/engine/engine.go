// Package engine runs the storage behind S3: versitygw over a folder. It
// changes the process's working folder and allows one gateway per process, so
// it runs in a process of its own, which the endpoint starts from its own
// program.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"github.com/livetwin/livetwin/test/awslocal/gateway/sigv4"
	"github.com/livetwin/livetwin/test/awslocal/iam"
)

// copyLimit is the largest object that one CopyObject copies, in bytes.
const copyLimit = 5 << 30

// Run serves S3 on a Unix socket (a path, or @name for an abstract one) over
// the folder dir until ctx ends. It trusts every credential of the keyring: the
// gateway in front of it has decided already what the caller may do.
func Run(ctx context.Context, dir, socket, region string, keyring iam.Keyring) error {
	root, err := filepath.Abs(filepath.Join(dir, "buckets"))
	if err != nil {
		return fmt.Errorf("find the folder of buckets: %w", err)
	}
	options := posix.PosixOpts{
		VersioningDir:       filepath.Join(filepath.Dir(root), "versions"),
		CopyObjectThreshold: copyLimit,
		ValidateBucketNames: true,
	}
	for _, folder := range []string{root, options.VersioningDir} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the folder of buckets: %w", err)
		}
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	if (meta.XattrMeta{}).Test(root) != nil { // a file system without extended attributes
		sidecar := filepath.Join(filepath.Dir(root), "metadata")
		if err := os.MkdirAll(sidecar, 0o700); err != nil {
			return fmt.Errorf("make the folder of metadata: %w", err)
		}
		if store, err = meta.NewSideCar(sidecar); err != nil {
			return fmt.Errorf("keep metadata beside the buckets: %w", err)
		}
		options.SideCarDir = sidecar
	}
	backend, err := posix.New(root, store, options)
	if err != nil {
		return fmt.Errorf("open the buckets in %s: %w", root, err)
	}
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    iam.OperatorKey,
		RootUserSecret:    keyring.Secret(iam.OperatorKey),
		Region:            region,
		Ports:             []string{socket},
		IAMService:        accounts{keyring},
		MaxConnections:    4096,
		MaxRequests:       2048,
		MultipartMaxParts: 10000,
		KeepAlive:         true,
		DisableACLs:       true,
		Quiet:             true,
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve S3: %w", err)
	}
	return nil
}

// accounts answers for the keyring as a versitygw account service: whoever
// signed with a key of it is an administrator here.
type accounts struct{ keyring iam.Keyring }

var (
	_ auth.IAMService         = accounts{}
	_ auth.SigningKeyProvider = accounts{}
)

var errFixed = errors.New("the accounts of the local endpoint are its roles; they cannot be changed here")

func (a accounts) account(access string) auth.Account {
	return auth.Account{Access: access, Role: auth.RoleAdmin}
}

// DeriveSigningKey implements auth.SigningKeyProvider.
func (a accounts) DeriveSigningKey(access, token, date, region, service string) ([]byte, auth.Account, error) {
	if token != a.keyring.Token(access) {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	return sigv4.DeriveKey(a.keyring.Secret(access), date, region, service), a.account(access), nil
}

// GetUserAccount implements auth.IAMService.
func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	account := a.account(access)
	account.Secret = a.keyring.Secret(access)
	return account, nil
}

// ResolveAccounts implements auth.IAMService: every account exists.
func (accounts) ResolveAccounts([]string) ([]string, error) { return nil, nil }

// CreateAccount implements auth.IAMService.
func (accounts) CreateAccount(auth.Account) error { return errFixed }

// UpdateUserAccount implements auth.IAMService.
func (accounts) UpdateUserAccount(string, auth.MutableProps) error { return errFixed }

// DeleteUserAccount implements auth.IAMService.
func (accounts) DeleteUserAccount(string) error { return errFixed }

// ListUserAccounts implements auth.IAMService.
func (accounts) ListUserAccounts() ([]auth.Account, error) { return nil, nil }

// Shutdown implements auth.IAMService.
func (accounts) Shutdown() error { return nil }
