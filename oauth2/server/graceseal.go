package server

import (
	"crypto/rand"
	"errors"

	"github.com/gatewarden/auth/internal/seal"
)

func sealWith(aead seal.Key, text string) []byte {
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, []byte(text), nil)
}

// unseal returns the successor of a refresh token.
func unseal(predecessor string, sealed []byte) (string, error) {
	aead, err := sealer(predecessor)
	if err != nil {
		return "", err
	}
	if len(sealed) < aead.NonceSize() {
		return "", errors.New("oauth2/server: a sealed token is too short")
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	return string(text), err
}

// seal encrypts the new refresh token for a holder of its predecessor.
func (m *createdTokens) seal(predecessor string) error {
	aead, err := sealer(predecessor)
	if err != nil {
		return err
	}
	// One message is ever sealed with a key, which is derived of a token that is
	// used once: but two requests at once may, so the nonce is random.
	m.tokens.Refresh.Sealed = sealWith(aead, m.response.refresh.Reveal())
	return nil
}

// sealer returns what encrypts the successor of a refresh token so that only a client that
// has that token can read it.
func sealer(predecessor string) (seal.Key, error) {
	return seal.New(predecessor, "oauth2 refresh successor")
}
