package password

import "context"

// CheckHash returns nil if Verify reads encoded. Otherwise the error says why not: its format is unknown, or it
// asks for more than [HashLimits] allow. The error shows nothing of encoded.
func (h *Hasher) CheckHash(encoded string) error {
	_, err := h.read(encoded)
	return err
}

// VerifySecret reports whether secret is the one that encoded was made from. It is Verify in the form that
// server.SecretHasher of package oauth2/server has, so that a Hasher verifies secrets of clients that
// Django hashed. Errors are those of Verify.
func (h *Hasher) VerifySecret(ctx context.Context, secret, encoded string) (bool, error) {
	result, err := h.Verify(ctx, secret, encoded)
	return result.OK, err
}
