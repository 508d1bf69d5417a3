package server

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/tokencache"
)

// The bounds for wrong secrets of one client from one address.
const (
	freeGuesses   = 30              // at once
	guessInterval = 2 * time.Second // until there is another one
	maxGuessing   = 10_000          // clients at addresses that are counted, each in about 100 bytes
	maxWrong      = 10_000          // wrong secrets that are remembered, each in about 100 bytes
	wrongFor      = time.Hour       // for how long
)

// guesses counts wrong secrets, so that a stranger cannot try many (RFC 6749 §2.3.1). It counts by client and address:
// wrong secrets from one address do not lock the client out at another one. A secret that comes again is no other
// guess, so a program that goes on with an old secret does not keep those with the new one out. It is safe for
// concurrent use.
type guesses struct {
	mu    sync.Mutex // for a change of seen
	seen  *tokencache.Cache[time.Time]
	wrong *tokencache.Cache[error] // why a secret was refused, by secretKey
}

func newGuesses() *guesses {
	return &guesses{seen: tokencache.New[time.Time](maxGuessing), wrong: tokencache.New[error](maxWrong)}
}

// key returns the key of a client at an address.
func (g *guesses) key(client, place string) tokencache.Key {
	return g.seen.Key(strconv.Itoa(len(client)) + " " + client + place)
}

// secretKey is the key of a secret that was sent for a client from an address. of is what the secret was compared with:
// a client with another secret by now is compared again.
func (g *guesses) secretKey(client, place, of, secret string) tokencache.Key {
	key := ""
	for _, part := range []string{client, place, of} {
		key += strconv.Itoa(len(part)) + " " + part
	}
	return g.wrong.Key(key + secret)
}

// wait returns how long no secret of the client is looked at from this address.
func (g *guesses) wait(key tokencache.Key, now time.Time) time.Duration {
	until, ok := g.seen.Get(key, now)
	if !ok {
		return 0
	}
	return max(until.Sub(now)-(freeGuesses-1)*guessInterval, 0)
}

// refused counts a wrong secret, and remembers why it is refused. If others have used up what was free meanwhile, it
// returns how long to wait.
func (g *guesses) refused(key, secret tokencache.Key, cause error, now time.Time) time.Duration {
	wait := g.add(key, now)
	if wait == 0 {
		g.wrong.Put(secret, cause, now.Add(wrongFor), now)
	}
	return wait
}

// add counts a guess. If others have used up what was free meanwhile, it returns how long to wait.
func (g *guesses) add(key tokencache.Key, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait := g.wait(key, now); wait > 0 {
		return wait
	}
	until, ok := g.seen.Get(key, now)
	if !ok {
		until = now
	}
	until = until.Add(guessInterval)
	g.seen.Put(key, until, until, now)
	return 0
}

// nat64 has the IPv4 addresses that a translator puts into IPv6 (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// networkOf returns what counts as one address: an IPv4 address or an IPv6 /64. Clients without an
// address, which come by a Unix socket, are at one place.
//
// Requests that a browser sends for a page have a place of their own. A page of a stranger can post a form with wrong
// secrets from the network of a client, and would keep the client out otherwise.
func networkOf(r *http.Request) string {
	place := ""
	switch addr := auth.ClientIP(r).Unmap().WithZone(""); {
	case nat64.Contains(addr):
		bytes := addr.As16()
		place = netip.AddrFrom4([4]byte(bytes[12:])).String()
	case addr.Is6():
		place = netip.PrefixFrom(addr, 64).Masked().String()
	default:
		place = addr.String()
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		place += " page"
	}
	return place
}

// The causes of refusals that count as guesses.
var (
	errWrongSecret   = failedCheck("the client secret is wrong")
	errRetiredSecret = failedCheck("the client secret was retired by Server.RenewSecret, and the registration has a " +
		"hash of it")
)

// isGuess reports whether a refusal counts as a guess.
func isGuess(cause error) bool { return cause == errWrongSecret || cause == errRetiredSecret }

// limitGuesses calls compare, which checks a secret, unless wrong ones of the client came from the
// address of the request too often. A right one is refused then too, because a guess asks just that.
func (s *Server) limitGuesses(place string, client *Client, secret string,
	compare func() (cause, err error)) (cause, err error) {
	if s.config.Clients.AllowGuessing {
		return compare()
	}
	if cause := s.knownGuess(place, client, secret); cause != nil {
		return cause, nil
	}
	cause, err = compare()
	if !isGuess(cause) {
		return cause, err
	}
	key, same := s.guesses.key(client.ID, place), s.guesses.secretKey(client.ID, place, client.secretKept(), secret)
	if wait := s.guesses.refused(key, same, cause, time.Now()); wait > 0 {
		return tooManyGuesses(wait), nil
	}
	return cause, nil
}

// knownGuess returns why a secret is refused without being compared. It is nil if the secret must be compared.
func (s *Server) knownGuess(place string, client *Client, secret string) error {
	at := time.Now()
	why, known := s.guesses.wrong.Get(s.guesses.secretKey(client.ID, place, client.secretKept(), secret), at)
	if known {
		return why
	}
	if wait := s.guesses.wait(s.guesses.key(client.ID, place), at); wait > 0 {
		return tooManyGuesses(wait)
	}
	return nil
}

// secretKept returns what the store keeps of the secret.
func (c *Client) secretKept() string { return cmp.Or(c.SecretDigest, c.SecretHash) }

// unknownClient returns why an unknown client is refused. Its secrets are counted as those of a client that is there,
// so that the answers do not tell which clients there are. They have tables of their own, because a stranger can make
// up any number of them.
func (s *Server) unknownClient(p *requestCredentials, cause error) error {
	if s.config.Clients.AllowGuessing || len(p.methods) == 0 {
		return cause
	}
	at := time.Now()
	same := s.unknown.secretKey(p.clientID, p.network, "", p.secret)
	if _, known := s.unknown.wrong.Get(same, at); known {
		return cause
	}
	if wait := s.unknown.refused(s.unknown.key(p.clientID, p.network), same, cause, at); wait > 0 {
		return tooManyGuesses(wait)
	}
	return cause
}

// tooManyGuesses is the cause of a refusal without a look at the secret.
func tooManyGuesses(wait time.Duration) error {
	failed := fmt.Sprintf("too many wrong secrets of the client came from the address: %d, and then one in %v",
		freeGuesses, guessInterval)
	return &auth.Error{Kind: auth.ErrThrottled, RetryAfter: wait, Cause: failedSetting(
		"Config.Clients.AllowGuessing, and auth.Config.Proxies if the address is that of a proxy", failed, "")}
}

// refusedClient is the answer to a client that is not proved.
func refusedClient(cause error) *Error {
	if auth.KindOf(cause) != auth.ErrThrottled {
		return errClient(cause)
	}
	return &Error{Code: CodeInvalidClient, Description: "Too many wrong secrets of this client. Try again later.",
		Status: http.StatusTooManyRequests, Cause: cause}
}
