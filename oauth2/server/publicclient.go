package server

// EndsGrants reports whether the grants of before end when c takes its place, as
// [ClientStore].ChangeClient asks: c is disabled, or c is public and before is not.
//
// The refresh tokens of a confidential client are bound to it, and worth nothing without its
// authentication (RFC 6749 §6, §10.4). Without that binding, a thief of one could use it from
// then on.
func (c *Client) EndsGrants(before *Client) bool { return c.Disabled || c.becomesPublic(before) }

// becomesPublic reports whether the client loses its authentication when it takes the place of before.
func (c *Client) becomesPublic(before *Client) bool { return c.Public() && !before.Public() }

// losesSecret takes from a client that was changed what only a client that authenticates may have:
// its secret, and a grace that was given to it before it became public (RFC 9700 §2.2.2, §4.14.2).
func (c *Client) losesSecret(before *Client) {
	if c.Public() {
		c.SecretDigest, c.SecretHash, c.SecretReplaces = "", "", ""
	}
	if c.becomesPublic(before) {
		c.RefreshGrace = min(c.RefreshGrace, 0)
	}
}
