package redisstore

import (
	"fmt"

	"github.com/gatewarden/auth/oauth2/server"
)

// decodeClient reads the row of a client. A row without a client is an error, because a client that is not there has
// no key.
func decodeClient(key, text string) (clientRow, error) {
	var row clientRow
	if err := decode(key, text, &row); err != nil {
		return row, err
	}
	if row.Client == nil || row.Generation == "" || row.Added == "" {
		return row, fmt.Errorf("%w: key %q: it has no client, generation or addition", ErrUnreadable, key)
	}
	return row, nil
}

var _ = server.KeepEnded
