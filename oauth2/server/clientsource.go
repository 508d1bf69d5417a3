package server

import (
	"context"
	"strings"

	"github.com/gatewarden/auth"
)

// clientSource is a place where clients are looked for (RFC 6749 §2.2).
type clientSource struct {
	// owns reports whether a client with this identifier can only be here. The first source
	// that owns an identifier decides about it.
	owns func(id string) bool
	// find returns the client, or nil and nil. Grants are given to clients of the store only,
	// so that a client from elsewhere is added there, or changed, before it is returned.
	find func(ctx context.Context, id string) (*Client, error)
}

// storedClients are the clients of Config.Store.
type storedClients struct{}

func (storedClients) register(r *registry) {
	r.addClientSource(clientSource{owns: validClientID, find: func(ctx context.Context, id string) (*Client, error) {
		return r.config.Store.Client(ctx, id)
	}})
}

// maxClientID is the longest client_id, in bytes.
const maxClientID = 200

// validClientID reports an identifier that a client can have: visible characters of ASCII and
// spaces (RFC 6749 appendix A.1). One that starts as the UserID of an [auth.Machine] is refused,
// because the "sub" of its tokens would be taken for that.
func validClientID(id string) bool {
	return id != "" && len(id) <= maxClientID && !strings.ContainsFunc(id, notVisible) &&
		!strings.HasPrefix(id, machinePrefix)
}

// machinePrefix starts the UserID of an auth.Machine.
var machinePrefix = strings.TrimSuffix(auth.Machine{ID: "x"}.UserID(), "x")

func notVisible(c rune) bool { return c < ' ' || c > '~' }

// clientIsAudience says why a client cannot have an identifier that isAudience reports.
const clientIsAudience = "the client_id is that of a resource or of the issuer"

// isAudience reports an identifier that access tokens have as their "aud". The ID tokens of a
// client with it have the same one (OpenID Connect Core §2), and an API might take them for
// access tokens.
func (s *Server) isAudience(id string) bool { return id == s.config.Issuer || s.resource(id) != nil }

// findClient returns the client with this identifier, or nil and nil.
func (s *Server) findClient(ctx context.Context, id string) (*Client, error) {
	for _, source := range s.features.clients {
		if source.owns(id) {
			return source.find(ctx, id)
		}
	}
	return nil, nil
}

// ownsClient reports whether a client can have this identifier.
func (s *Server) ownsClient(id string) bool {
	for _, source := range s.features.clients {
		if source.owns(id) {
			return true
		}
	}
	return false
}

// enabledClient returns the client with this identifier. If no client with it may ask for
// anything, cause says why.
func (s *Server) enabledClient(ctx context.Context, id string) (client *Client, cause, err error) {
	switch {
	case id == "":
		return nil, errNoClientID, nil
	case s.isAudience(id):
		return nil, failedValue(clientIsAudience, id), nil
	case !s.ownsClient(id):
		return nil, failedValue("the client_id is longer than 200, or not of visible characters", id), nil
	}
	client, err = s.findClient(ctx, id)
	switch {
	case err != nil:
		return nil, nil, err
	case client == nil:
		return nil, failedValue("no client is registered with this client_id", id), nil
	case client.Disabled:
		return nil, failedValue("the client is disabled", id), nil
	}
	return client, nil, nil
}
