package auth

// Looked returns how many users c looked at to make room.
func (c *CachedUsers) Looked() int { return c.expiry.Looked() }
