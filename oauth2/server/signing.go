package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// A keyring of a store without keys has no key until something makes one.
const keyringMakesKeys = ". A keyring makes keys by jwt.KeyringConfig.Generate, or one by Keyring.Rotate"

var errNoSigningKey = errors.New("oauth2/server: Config.Keys has no asymmetric key that signs" + keyringMakesKeys)

// keySet returns the keys at an instant.
func (s *Server) keySet(ctx context.Context, at time.Time) (*jwt.KeySet, error) {
	set, err := s.config.Keys.Current(ctx, at)
	if err == nil && set == nil {
		err = errNoSigningKey
	}
	return set, err
}

// accessKey returns the key that signs access tokens now.
func (s *Server) accessKey(ctx context.Context, at time.Time) (*jwt.Key, error) {
	set, err := s.keySet(ctx, at)
	if err != nil {
		return nil, err
	}
	if keys := publicKeys(set); len(keys) > 0 {
		return keys[0], nil
	}
	return nil, errNoSigningKey
}

// publicKeys returns the keys that sign what others can check.
func publicKeys(set *jwt.KeySet) []*jwt.Key {
	return slices.DeleteFunc(set.SigningKeys(), func(k *jwt.Key) bool { return k.Public() == nil })
}
