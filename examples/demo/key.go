package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewarden/auth"
)

// applicationKeys reads the key from its file, and makes both on the first
// start. No file is a key that lasts as long as the program.
func applicationKeys(path string) ([]auth.Secret, error) {
	if path == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return []auth.Secret{auth.Secret(key)}, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("-key %s: %w", path, err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("-key %s: %w", path, err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("-key %s: want 32 bytes in base64", path)
	}
	return []auth.Secret{auth.Secret(key)}, nil
}

// makeKey makes a file with a new key. The file gets its name when it is complete, so a demo that starts at the same
// time never reads a part of it. If that demo was faster, its file stays.
func makeKey(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
