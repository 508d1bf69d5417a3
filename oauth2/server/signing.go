package server

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// signing returns the key that signs now.
func (s *Server) signing(ctx context.Context, at time.Time) (*jwt.Key, error) {
	set, err := s.config.Keys.Current(ctx, at)
	if err != nil {
		return nil, err
	}
	if !signs(set) {
		return nil, errors.New("oauth2/server: Config.Keys has no asymmetric key that signs")
	}
	return set.Signing(), nil
}

// signs reports a set with a key that signs what others can check.
func signs(set *jwt.KeySet) bool {
	return set != nil && set.Signing() != nil && set.Signing().Public() != nil
}
