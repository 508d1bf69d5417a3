package server

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// An ID token is signed by what the client registered, id_token_signed_response_alg. A client
// that registered nothing gets RS256 (OpenID Connect Registration §2), or what
// Config.OpenID.IDTokenAlgorithm says instead.

// idTokenAlgorithm returns the algorithm of a client's ID tokens.
func (s *Server) idTokenAlgorithm(client *Client) jwt.Algorithm {
	return cmp.Or(client.IDTokenAlgorithm, s.config.OpenID.IDTokenAlgorithm)
}

// idTokenKey returns the key that signs the ID tokens of a client now.
func (s *Server) idTokenKey(ctx context.Context, at time.Time, client *Client) (*jwt.Key, error) {
	set, err := s.keySet(ctx, at)
	if err != nil {
		return nil, err
	}
	algorithm := s.idTokenAlgorithm(client)
	if key := set.SigningBy(algorithm); key != nil && key.Public() != nil {
		return key, nil
	}
	return nil, &missingKeyError{algorithm, client.ID}
}

// missingKeyError is the error for a client if there is no key for its ID tokens.
type missingKeyError struct {
	algorithm jwt.Algorithm
	client    string
}

// Error names the algorithm, the client and the settings.
func (e *missingKeyError) Error() string {
	return "oauth2/server: Config.Keys has no key that signs by " + string(e.algorithm) + ", which the client " +
		strconv.Quote(e.client) + " wants of its ID tokens, see Client.IDTokenAlgorithm and " +
		"Config.OpenID.IDTokenAlgorithm" +
		keyringMakesKeys
}

// idTokenAlgorithms returns those by which ID tokens can be signed, RS256 first (OpenID Connect
// Discovery §3).
func idTokenAlgorithms(set *jwt.KeySet) []string {
	var names []string
	for _, key := range publicKeys(set) {
		if key.Algorithm() == jwt.RS256 {
			names = slices.Insert(names, 0, string(jwt.RS256))
		} else {
			names = append(names, string(key.Algorithm()))
		}
	}
	return names
}

// staticAlgorithms returns what Config.Keys sign by, if they say so. Of a keyring that has keys,
// these are the algorithms that have one: a keyring may lack the key of an algorithm until somebody
// adds it.
func (c *Config) staticAlgorithms() (algorithms []jwt.Algorithm, known bool) {
	switch keys := c.Keys.(type) {
	case *jwt.KeySet:
		return algorithmsOf(keys), true
	case interface{ Algorithms() []jwt.Algorithm }:
		algorithms = keys.Algorithms()
		set, err := c.Keys.Current(context.Background(), now())
		if err != nil || set == nil || len(set.SigningKeys()) == 0 {
			return algorithms, true
		}
		signing := algorithmsOf(set)
		return slices.DeleteFunc(algorithms, func(a jwt.Algorithm) bool { return !slices.Contains(signing, a) }), true
	}
	return nil, false
}

// algorithmsOf returns those of the keys that sign what others can check.
func algorithmsOf(set *jwt.KeySet) (algorithms []jwt.Algorithm) {
	for _, key := range publicKeys(set) {
		algorithms = append(algorithms, key.Algorithm())
	}
	return algorithms
}

// checkIDTokenAlgorithm fills in Config.OpenID.IDTokenAlgorithm, and refuses keys of an OpenID provider
// that do not sign by it.
func (c *Config) checkIDTokenAlgorithm(settings *backend.Settings) {
	wanted := c.OpenID.IDTokenAlgorithm
	c.OpenID.IDTokenAlgorithm = cmp.Or(wanted, jwt.RS256)
	settings.Refuse(!slices.Contains(asymmetric, c.OpenID.IDTokenAlgorithm),
		"Config.OpenID.IDTokenAlgorithm %q is none of %v", wanted, asymmetric)
	algorithms, known := c.staticAlgorithms()
	if !known || slices.Contains(algorithms, c.OpenID.IDTokenAlgorithm) {
		return
	}
	settings.Refuse(wanted != "", "Config.Keys sign by %v, and not by Config.OpenID.IDTokenAlgorithm, %s",
		algorithms, wanted)
	settings.Refuse(wanted == "", "Config.Keys sign by %v, and not by RS256, which OpenID clients expect of ID tokens "+
		"(OpenID Connect Core §15.1). Add a key (jwt.KeyringConfig.Algorithms with Generate, Keyring.Add, "+
		"jwt.NewSigningKeySet), or set Config.OpenID.IDTokenAlgorithm to one of these, and register it with "+
		"each client",
		algorithms)
}

// asymmetric are the algorithms that others can check.
var asymmetric = []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512,
	jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA}

// registerIDTokenAlgorithm reads id_token_signed_response_alg (OpenID Connect Registration §2). A
// program that only manages clients has no keys, and takes every algorithm that others can check.
func (c *Config) registerIDTokenAlgorithm(r *Registration, client *Client) error {
	client.IDTokenAlgorithm = r.IDTokenAlgorithm
	algorithms, known := c.staticAlgorithms()
	if !known {
		algorithms = asymmetric
	}
	wanted := r.IDTokenAlgorithm
	if wanted == "" || slices.Contains(algorithms, wanted) && slices.Contains(asymmetric, wanted) {
		return nil
	}
	names := make([]string, len(algorithms))
	for i, algorithm := range algorithms {
		names[i] = string(algorithm)
	}
	return unsupported("The id_token_signed_response_alg is not supported.",
		"Config.Keys do not sign by the id_token_signed_response_alg", string(wanted), names...)
}

// auditIDTokens lists what clients do not expect of ID tokens.
func auditIDTokens(a *auditor) {
	if algorithm := a.config.OpenID.IDTokenAlgorithm; algorithm != "" && algorithm != jwt.RS256 {
		a.add("OpenID Connect Registration §2", "OpenID.IDTokenAlgorithm",
			"clients that registered no algorithm expect RS256, and refuse ID tokens by %s", algorithm)
	}
}
