package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// SecretHasher verifies secrets of clients that another system has hashed, such as Django. A *password.Hasher is
// one. It must be safe for concurrent use, and bound what a hash may cost.
type SecretHasher interface {
	// CheckHash returns nil if VerifySecret reads encoded, and otherwise why not.
	CheckHash(encoded string) error
	// VerifySecret reports whether secret is the one that encoded was made from. An error is an outage.
	VerifySecret(ctx context.Context, secret, encoded string) (bool, error)
}

// hashed reports a client with a secret as another system hashed it.
func (c *Client) hashed() bool { return c.SecretDigest == "" && c.SecretHash != "" }

// setHash gives a client the hash of its registration.
func (s *Server) setHash(c *Client, encoded string) error {
	if s.config.Clients.SecretHashes == nil {
		return metadataError("This server reads no hashes of secrets.", errNoHasher)
	}
	if err := s.config.Clients.SecretHashes.CheckHash(encoded); err != nil {
		return metadataError("The client_secret_hash is not one that this server reads.",
			&cause.Reason{Check: "the client_secret_hash is not read", See: "Config.Clients.SecretHashes", Err: err})
	}
	c.SecretHash = encoded
	return nil
}

// looksHashed reports a secret that has the form in which Django stores one: the name of a hasher, its settings and
// the hash, with "$" between them. No random secret has it.
func looksHashed(secret string) bool {
	hasher, rest, _ := strings.Cut(secret, "$")
	switch hasher {
	case "pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "sha1", "md5":
		return strings.Contains(rest, "$")
	}
	return false
}

// The bounds for the work of verifying hashes.
const (
	hashesAtOnce = 2               // of all clients
	hashesQueued = 100             // of one client, with the one that is under way
	hashWait     = 5 * time.Second // in the queue
)

var (
	errHashQueue = errors.New("oauth2/server: many secrets of the client wait to be verified against " +
		"Client.SecretHash, which is slow until the client has sent the right one")
	errNoHasher = failedSetting("Config.Clients.SecretHashes",
		"the secret is a hash of another system, and no SecretHasher is set",
		"")
)

// hashQueue lets one secret of a client be verified at a time, since the first right one replaces the hash. What
// strangers can make us compute is bounded so. It is safe for concurrent use.
type hashQueue struct {
	slots chan struct{}

	mu      sync.Mutex
	clients map[string]*hashTurn // of the clients with a secret under way
}

type hashTurn struct {
	busy   chan struct{}
	queued int
}

func newHashQueue() *hashQueue {
	return &hashQueue{slots: make(chan struct{}, hashesAtOnce), clients: make(map[string]*hashTurn)}
}

// enter waits for the turn of a client. The caller calls leave when it is done.
func (q *hashQueue) enter(ctx context.Context, id string) (leave func(), err error) {
	q.mu.Lock()
	turn := q.clients[id]
	if turn == nil {
		turn = &hashTurn{busy: make(chan struct{}, 1)}
		q.clients[id] = turn
	}
	if turn.queued >= hashesQueued {
		q.mu.Unlock()
		return nil, errHashQueue
	}
	turn.queued++
	q.mu.Unlock()

	done := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if turn.queued--; turn.queued == 0 {
			delete(q.clients, id)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hashWait, errHashQueue)
	defer cancel()
	if err := acquire(ctx, turn.busy); err != nil {
		done()
		return nil, err
	}
	if err := acquire(ctx, q.slots); err != nil {
		<-turn.busy
		done()
		return nil, err
	}
	return func() { <-q.slots; <-turn.busy; done() }, nil
}

// acquire takes a place in a semaphore.
func acquire(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkHashed verifies a secret of a client against Client.SecretHash, and replaces that with the digest of the
// right one.
func (s *Server) checkHashed(ctx context.Context, place string, client *Client, secret string) (cause, err error) {
	id := client.ID
	if !s.config.Clients.AllowGuessing {
		if cause := s.knownGuess(place, client, secret); cause != nil {
			return cause, nil
		}
	}
	leave, err := s.hashes.enter(ctx, id)
	if errors.Is(err, errHashQueue) { // it held a place in the queue, as a guess does
		s.guesses.add(s.guesses.key(id, place), time.Now())
	}
	if err != nil {
		return nil, err
	}
	defer leave()
	client, cause, err = s.enabledClient(ctx, id) // another request may have replaced the hash meanwhile
	if cause != nil || err != nil {
		return cause, err
	}
	return s.limitGuesses(place, client, secret, func() (cause, err error) {
		if !client.hashed() {
			return checkSecret(ctx, client, &clientCredentials{clientID: id, secret: secret})
		}
		return s.verifyHashed(ctx, client, secret)
	})
}

// bcryptReads is how many bytes of a secret bcrypt looks at.
const bcryptReads = 72

// readsTooLittle reports a hash by bcrypt of the secret itself, in the form of Django or of crypt.
func readsTooLittle(encoded string) bool {
	return strings.HasPrefix(encoded, "bcrypt$") || strings.HasPrefix(encoded, "$2")
}

func (s *Server) verifyHashed(ctx context.Context, client *Client, secret string) (cause, err error) {
	if s.config.Clients.SecretHashes == nil {
		return errNoHasher, nil
	}
	right, err := s.config.Clients.SecretHashes.VerifySecret(ctx, secret, client.SecretHash)
	if err != nil {
		return nil, err
	}
	switch {
	case !right:
		return errWrongSecret, nil
	case slices.Contains(client.SecretsRetired, DigestSecret(auth.Secret(secret))):
		return errRetiredSecret, nil
	}
	s.replaceHash(ctx, client, secret)
	return nil, nil
}

// replaceHash stores the digest of a secret in place of its hash. A short secret keeps the hash, since its digest
// would be found by trying. If the client was changed meanwhile, the change stands. An outage is
// not the client's: the next request tries again.
func (s *Server) replaceHash(ctx context.Context, client *Client, secret string) {
	if len(secret) < minSecret && !client.AllowShortSecret {
		if s.shortSecrets.First(client.ID) {
			s.logger().WarnContext(ctx, "oauth2/server: the secret of a client is shorter than 16 bytes, so its slow "+
				"hash is kept. Renew the secret, or set Client.AllowShortSecret", "client", client.ID)
		}
		return
	}
	if len(secret) > bcryptReads && readsTooLittle(client.SecretHash) {
		return // another secret that begins alike would take its place
	}
	changed := *client
	changed.SecretDigest, changed.SecretHash = DigestSecret(auth.Secret(secret)), ""
	changed.SecretReplaces, changed.Updated = digestOf(client.SecretHash), after(client)
	if _, _, err := s.config.Store.ChangeClient(ctx, &changed, client.Updated); err != nil {
		s.logger().WarnContext(ctx, "oauth2/server: the hash of a client's secret could not be replaced",
			"client", client.ID, "error", err)
	}
}
