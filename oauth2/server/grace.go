package server

import (
	"time"

	"github.com/gatewarden/auth/backend"
)

const (
	// NoGrace as Config.Tokens.Grace refuses each refresh token that comes again.
	NoGrace time.Duration = -1

	maxGrace     = time.Minute
	defaultGrace = 10 * time.Second
)

// graceOf returns for how long a refresh token of a client answers again after its use. RFC
// 9700 §2.2.2 asks for rotation of public clients only, and for nothing of clients that prove
// themselves with each refresh.
func (s *Server) graceOf(client *Client) time.Duration {
	switch {
	case client.RefreshGrace < 0:
		return 0
	case client.RefreshGrace > 0:
		return time.Duration(min(client.RefreshGrace, int(maxGrace/time.Second))) * time.Second
	case client.Public():
		return 0
	}
	return s.config.Tokens.Grace
}

// checkGrace fills in the default of Config.Tokens.Grace. From then on, its zero value is no grace.
func (c *Config) checkGrace(settings *backend.Settings) {
	grace := &c.Tokens.Grace
	switch *grace {
	case NoGrace:
		*grace = 0
	case 0:
		*grace = defaultGrace
	}
	settings.Refuse(*grace < 0 || *grace > maxGrace,
		"Config.Tokens.Grace is not within 0 and a minute, and not NoGrace")
}

// checkRefreshGrace checks the grace of one client.
func checkRefreshGrace(r *Registration, c *Client) error {
	if r.RefreshGrace < -1 || r.RefreshGrace > int(maxGrace/time.Second) {
		return metadataError("The refresh_token_grace is not a number of seconds from -1 to 60.",
			failedCheck("the refresh_token_grace is not a number of seconds from -1 to 60"))
	}
	c.RefreshGrace = r.RefreshGrace
	return nil
}

// auditGrace lists clients with refresh tokens that may come again. The default of confidential
// clients is not listed, because they authenticate (RFC 9700 §2.2.2).
func auditGrace(a *auditor) {
	const lost = "who steals a refresh token and uses it within %v of the client is not noticed"
	if a.config.Tokens.Grace > defaultGrace {
		a.add("RFC 9700 §4.14.2", "Tokens.Grace", lost, a.config.Tokens.Grace)
	}
	for _, c := range a.clients {
		if c.Public() && c.RefreshGrace > 0 || c.RefreshGrace > int(defaultGrace/time.Second) {
			a.add("RFC 9700 §4.14.2", "client "+c.ID+" RefreshGrace", lost, time.Duration(c.RefreshGrace)*time.Second)
		}
	}
}
