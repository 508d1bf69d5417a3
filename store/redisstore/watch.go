package redisstore

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/store/cached"
)

// watch hears which keys change, for what is cached.
//
// Redis tells each connection of the reader about every change of a key of some kinds (client tracking with BCAST).
// A record is read through such a connection too. So whatever is cached was read from a node that tells of its
// changes, also after a slot of the Cluster moved. If a connection is lost, the reader says so at once, and everything
// is forgotten.
//
// A connection may also be silent: a network that drops packets closes nothing. So the reader asks each node for a sign
// of life every 500 ms, through the same connection. Answers come in order, so all changes before an answer have
// been heard. Cached records are believed for 2 s after the last time that all nodes had answered. See believed.
type watch struct {
	db *DB

	// heard is when the last round was sent that all nodes answered, in nanoseconds since made.
	heard atomic.Int64
	made  time.Time

	// lost is whether a connection was lost since the last round that all nodes answered.
	lost atomic.Bool

	mu      sync.RWMutex
	caches  []watched
	resumes []func() // of the caches, while they are suspended
	silent  bool     // whether they are

	cancel context.CancelFunc
	ended  chan struct{}
}

// watched is a cache, and what it does about a key that changed.
type watched struct {
	kinds []kind
	cache cached.Cache
	drop  func(k kind, name string)
}

const (
	roundEvery   = 500 * time.Millisecond
	believedFor  = 2 * time.Second
	roundTimeout = time.Second
)

func newWatch(db *DB) *watch { return &watch{db: db, made: time.Now()} }

// trackedKinds are the kinds of keys with changes that are told.
var trackedKinds = []kind{knoxTokens, sessionRecords, oauthAccess, oauthGrants, oauthClients, userChanges}

func (db *DB) trackingOptions() []string {
	options := []string{"BCAST"}
	for _, k := range trackedKinds {
		options = append(options, "PREFIX", db.config.Prefix+string(k)+":")
	}
	return options
}

// add has a cache told about changes of keys of some kinds.
func (w *watch) add(cache cached.Cache, drop func(k kind, name string), kinds ...kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caches = append(w.caches, watched{kinds, cache, drop})
	if w.silent {
		w.resumes = append(w.resumes, cache.Suspend())
	}
}

// invalidated takes a message of the server. It is called in the order of the answers of its connection. No messages
// means that the connection was lost, or that everything was deleted.
func (w *watch) invalidated(messages []rueidis.RedisMessage) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if messages == nil {
		w.lost.Store(true)
		w.forgetAll()
		return
	}
	for _, message := range messages {
		if key, err := message.ToString(); err == nil {
			w.changed(key)
		}
	}
}

// wrote has the caches of users of this instance forget the users that a change names, without waiting for the message
// of Redis. The other caches are told by the stores in them.
func (w *watch) wrote(keys []string) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, key := range keys {
		if strings.HasPrefix(key, w.db.config.Prefix+string(userChanges)+":") {
			w.changed(key)
		}
	}
}

// forgetAll is for w.mu held.
func (w *watch) forgetAll() {
	for _, c := range w.caches {
		c.cache.ForgetAll()
	}
}

// changed takes the name of a key that changed. w.mu is held.
func (w *watch) changed(key string) {
	rest, ok := strings.CutPrefix(key, w.db.config.Prefix)
	name, rest, braces := strings.Cut(rest, ":{")
	_, rest, closed := strings.Cut(rest, "}")
	if !ok || !braces || !closed {
		return
	}
	for _, c := range w.caches {
		for _, k := range c.kinds {
			if k == kind(name) {
				c.drop(k, rest)
			}
		}
	}
}

// believed reports whether cached records may be believed now.
func (w *watch) believed() bool {
	return time.Since(w.made)-time.Duration(w.heard.Load()) < believedFor
}

// start begins the rounds. The first one is done when it returns, unless the reader does not answer.
func (w *watch) start() {
	if w.db.reader == w.db.client {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.ended = cancel, make(chan struct{})
	heard := w.round(ctx)
	go w.run(ctx, heard)
}

func (w *watch) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.ended
	}
}

// run asks for signs of life until stop is called. Without them, all caches are suspended.
func (w *watch) run(ctx context.Context, heard bool) {
	defer close(w.ended)
	ticker := time.NewTicker(roundEvery)
	defer ticker.Stop()
	for {
		w.set(ctx, heard)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		heard = w.round(ctx)
	}
}

// round asks each node of the reader for a sign of life, and reports whether all gave one.
func (w *watch) round(ctx context.Context) bool {
	sent := time.Since(w.made)
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	nodes := w.db.reader.Nodes()
	answers := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { answers <- node.Do(ctx, node.B().Ping().Build()).Error() }()
	}
	all := len(nodes) > 0
	for range nodes {
		if err := <-answers; err != nil {
			all = false
		}
	}
	if all {
		w.heard.Store(int64(sent))
	}
	return all
}

// set suspends the caches while changes are not heard, and lets them go on when they are.
func (w *watch) set(ctx context.Context, heard bool) {
	logger := w.db.config.Logger
	switch w.change(heard) {
	case becameSilent:
		logger.WarnContext(ctx, "redisstore: changes of cached records cannot be heard; every check asks Redis until "+
			"they are")
	case becameHeard:
		logger.InfoContext(ctx, "redisstore: changes of cached records are heard again")
	}
}

// transition says how a round changed the state of the caches.
type transition int

const (
	stayed transition = iota
	becameSilent
	becameHeard
)

func (w *watch) change(heard bool) (became transition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !heard && !w.silent:
		for _, c := range w.caches {
			w.resumes = append(w.resumes, c.cache.Suspend())
		}
		became = becameSilent
	case heard && w.silent:
		for _, resume := range w.resumes {
			resume()
		}
		w.resumes = nil
		became = becameHeard
	case heard && w.lost.Swap(false): // what was loaded while the connection was away may be old
		w.forgetAll()
	}
	w.silent = !heard
	return became
}
