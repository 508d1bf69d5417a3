package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		_, err = file.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
		if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
			return nil, errors.Join(err, os.Remove(path))
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("-key %s: want 32 bytes in base64", path)
	}
	return []auth.Secret{auth.Secret(key)}, nil
}
