package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gatewarden/auth/backend"
)

// This file says which tokens are loaded. Each is a real one: it can be presented, and what is stored is its digest.

// perUser is how many tokens each user has.
const perUser = 10

// life is how long a token lives, as by default. Tokens were issued evenly from nine hours ago until now.
const life, oldest = 10 * time.Hour, 9 * time.Hour

// seed is the key of all tokens. They live as long as the servers that this program starts.
const seed = "a key of tokens that are only measured, not used"

// population is many tokens. Those with a higher number were issued later. Of ten tokens of a user, nine were used.
//
//	0 … 4/10 of the tokens expire first, and purges take them
//	5/10 …   are checked
//	9/10 …   were not used yet
type population struct {
	name  string    // of it, and the prefix of its tables or keys
	count int       // of tokens
	began time.Time // when the newest token was issued
}

func newPopulation(name string, tokens int) *population {
	return &population{name, max(tokens/perUser, 2) * perUser, time.Now().UTC().Truncate(time.Microsecond)}
}

func (p *population) users() int { return p.count / perUser }

// owner returns the user of a token. The tokens of a user are far from each other, as if of different days.
func (p *population) owner(n int) string { return userID(n % p.users()) }

func userID(n int) string { return fmt.Sprintf("user-%07d", n) }

// secret returns what a client presents.
func (p *population) secret(n int) string {
	return backend.DeriveToken("", p.owner(n), backend.DefaultTokenLength, seed, p.name+strconv.Itoa(n))
}

func (p *population) used(n int) bool { return n < p.count/perUser*9 }

// created returns when a token was issued.
func (p *population) created(n int) time.Time {
	ago := time.Duration(float64(oldest) * float64(p.count-1-n) / float64(p.count))
	return p.began.Add(-ago).Truncate(time.Microsecond)
}

// record is what differs between two stored tokens. Instants are microseconds.
type record struct {
	digest   string
	id       string
	user     string
	created  int64
	expires  int64
	lastUsed int64 // 0 for never
	first    bool  // of the user's
}

func (p *population) record(n int) record {
	user := p.owner(n)
	secret := backend.DeriveToken("", user, backend.DefaultTokenLength, seed, p.name+strconv.Itoa(n))
	created := p.created(n)
	r := record{digest: backend.TokenDigest(secret, ""), id: backend.NewIDOf(user), user: user,
		first:   n < p.users(),
		created: created.UnixMicro(), expires: created.Add(life).UnixMicro()}
	if p.used(n) {
		r.lastUsed = created.Add(time.Second).UnixMicro()
	}
	return r
}

// chunk is how many records are made at once.
const chunk = 1000

// records makes the records of all tokens, in order. stop ends it early.
func (p *population) records(stop <-chan struct{}) <-chan []record {
	out := make(chan []record, 16)
	go func() {
		defer close(out)
		for first := 0; first < p.count; first += chunk {
			many := make([]record, min(chunk, p.count-first))
			for i := range many {
				many[i] = p.record(first + i)
			}
			select {
			case out <- many:
			case <-stop:
				return
			}
		}
	}()
	return out
}
