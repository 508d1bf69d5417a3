package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gatewarden/auth/store/transfer"
)

// copyFile keeps how far a copy is.
type copyFile struct {
	path string
	// From and To are hashes of the two addresses without passwords, so that the file goes with one pair.
	From  string         `json:"from"`
	To    string         `json:"to"`
	State transfer.State `json:"state"`
}

// openCopyFile reads the file of a copy. If there is none, the copy is a new one.
func openCopyFile(path, from, to string) (*copyFile, error) {
	f := &copyFile{path: path, From: placeName(from), To: placeName(to)}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("-state: %w", err)
	}
	was := &copyFile{}
	if err := json.Unmarshal(text, was); err != nil {
		return nil, fmt.Errorf("-state: %s is not the file of a copy: %w", path, err)
	}
	if was.From != f.From || was.To != f.To {
		return nil, misused("-state: %s belongs to a copy between other stores; name another file", path)
	}
	f.State = was.State
	return f, nil
}

// placeName returns a hash of an address without its user and password, which may change between runs.
func placeName(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.User = nil
		address = u.String()
	}
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:16])
}

// begun reports whether the copy may have written to its target.
func (f *copyFile) begun() bool { return f.State.Runs > 0 || !f.State.Began.IsZero() }

// save replaces the file in one step, so that a kill leaves the old one or the new one.
func (f *copyFile) save(state transfer.State) error {
	f.State = state
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
