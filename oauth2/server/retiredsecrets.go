package server

import (
	"context"
	"slices"
)

// maxRetired is how many secrets of a client are remembered as retired. A later one takes the place of the first.
const maxRetired = 50

// retireSecret remembers the secret of a client as one that [Server.RenewSecret] retired. A hash that the first use
// has replaced stands for the same secret.
func (c *Client) retireSecret() {
	// A copy, since the store may hold the client that c was copied from.
	retired := slices.Clone(c.SecretsRetired)
	add := func(mark string) {
		if mark != "" && !slices.Contains(retired, mark) {
			retired = append(retired, mark)
		}
	}
	if c.SecretHash != "" {
		add(digestOf(c.SecretHash))
	}
	add(c.SecretReplaces)
	add(c.SecretDigest)
	c.SecretsRetired = retired[max(len(retired)-maxRetired, 0):]
}

// hasRetired reports whether the secret of a registration, as client has it, is one that c has retired. Both are made
// of the same text by the same functions, and tell nothing to an attacker that measures the time.
func (c *Client) hasRetired(client *Client) bool {
	return client.SecretDigest != "" && slices.Contains(c.SecretsRetired, client.SecretDigest) ||
		client.SecretHash != "" && slices.Contains(c.SecretsRetired, digestOf(client.SecretHash))
}

// keepSecret keeps the secret that a client had before, unless its registration has a new one. Two are not new: the
// hash of a file after its secret was used, and a secret that RenewSecret retired.
func (s *Server) keepSecret(ctx context.Context, c, before *Client, r Registration) {
	c.SecretsRetired = before.SecretsRetired
	if c.Public() {
		return
	}
	hash := r.ClientSecretHash.Reveal()
	retired := before.hasRetired(c)
	if retired {
		s.logger().WarnContext(ctx, "oauth2/server: the secret in the registration of a client was retired by "+
			"Server.RenewSecret, so the client keeps the secret that it has. Give the registration the new secret, "+
			"or none",
			"client", c.ID)
	}
	missing := r.ClientSecret == "" && hash == "" && (before.SecretDigest != "" || before.SecretHash != "")
	if retired || missing || hash != "" && before.SecretReplaces == digestOf(hash) {
		c.SecretDigest, c.SecretHash, c.SecretReplaces = before.SecretDigest, before.SecretHash, before.SecretReplaces
	}
}
