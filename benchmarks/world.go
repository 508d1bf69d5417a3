package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/benchmarks/internal/paired"
	"github.com/gatewarden/auth/internal/floor"
)

// account is a user without a stamp.
type account struct{ id string }

func (a *account) UserID() string { return a.id }

// stampedAccount is a user with a stamp, as each user with a password has.
type stampedAccount struct{ id, stamp string }

func (a *stampedAccount) UserID() string    { return a.id }
func (a *stampedAccount) AuthStamp() string { return a.stamp }

// world has what the lines share: users, and what ends with a line.
type world struct {
	ids     []string
	users   map[string]auth.User
	stamped bool
	ends    []func()
}

// newWorld returns a world of n users.
func newWorld(n int, stamped bool) *world {
	w := &world{ids: make([]string, n), users: make(map[string]auth.User, n), stamped: stamped}
	for i := range w.ids {
		id := fmt.Sprintf("user-%06d", i)
		w.ids[i] = id
		w.users[id] = newUser(id, stamped)
	}
	return w
}

// stampStart is as long as the start of a password hash is.
const stampStart = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$QmFzZTY0IG9mIDMyIGJ5dGVzIG9mIGEgaGFz"

func newUser(id string, stamped bool) auth.User {
	if stamped {
		return &stampedAccount{id, stampStart + id}
	}
	return &account{id}
}

func (w *world) close() {
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.ends[i]()
	}
}

func (w *world) atEnd(f func()) { w.ends = append(w.ends, f) }

// load is the UserLoader of every backend: it reads a map that never changes.
func (w *world) load(_ context.Context, id string) (auth.User, error) {
	user, ok := w.users[id]
	if !ok {
		return nil, auth.ErrUserNotFound
	}
	return user, nil
}

// inner is the handler behind our middleware. It reads the user, as a program would, and answers with the
// user's identifier.
func (w *world) inner() http.Handler {
	if w.stamped {
		return readUser(auth.UserFrom[*stampedAccount])
	}
	return readUser(auth.UserFrom[*account])
}

// innerFloor is the same handler behind a floor.
func (w *world) innerFloor() http.Handler {
	if w.stamped {
		return readUser(floor.UserFrom[*stampedAccount])
	}
	return readUser(floor.UserFrom[*account])
}

func readUser[U auth.User](from func(context.Context) (U, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, ok := from(r.Context()); ok {
			_, _ = io.WriteString(w, user.UserID())
		}
	})
}

// quiet is a log without lines at level Info. The Guard writes each refusal at this level, so
// what the lines about refusals measure is the answer and not the log.
var quiet = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))

// guard returns the inner handler behind a Guard with these backends. It has no Observer.
func (w *world) guard(backends ...auth.Authenticator) (http.Handler, error) {
	guard, err := auth.New(auth.Config{Backends: backends, Logger: quiet})
	if err != nil {
		return nil, err
	}
	return guard.Require()(w.inner()), nil
}

// floorHeader returns the floor of tokens in the Authorization header: token i is of user i.
func (w *world) floorHeader(scheme string, tokens []string) http.Handler {
	return floor.Header(scheme, floor.FinderOf(w.table(tokens), w.users), w.innerFloor())
}

func (w *world) table(tokens []string) *floor.Table {
	table := new(floor.Table)
	for i, token := range tokens {
		table.Add(token, w.ids[i])
	}
	return table
}

// answer is a ResponseWriter that costs little and is used again.
type answer struct {
	header http.Header
	status int
	length int
	text   string // what WriteString was given last
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) Write(p []byte) (int, error) {
	a.length += len(p)
	return len(p), nil
}

func (a *answer) WriteString(s string) (int, error) {
	a.text = s
	a.length += len(s)
	return len(s), nil
}

func (a *answer) WriteHeader(status int) { a.status = status }

// client sends one request after the other, each with the next value of a header, and checks what comes.
type client struct {
	world   *world
	handler http.Handler
	request *http.Request
	answer  *answer
	line    []string // the value of the header in request
	values  []string
	status  int // wanted
	next    int
}

// client returns a client that expects this status of each answer.
func (w *world) client(handler http.Handler, header string, values []string, status int) *client {
	c := &client{world: w, handler: handler, values: values, status: status, line: []string{""},
		request: httptest.NewRequest("GET", "/reports", nil), answer: &answer{header: make(http.Header)}}
	c.request.Header[http.CanonicalHeaderKey(header)] = c.line
	return c
}

// authorized returns a client that sends these tokens and expects to pass.
func (w *world) authorized(handler http.Handler, scheme string, tokens []string) *client {
	return w.client(handler, "Authorization", prefixed(scheme+" ", tokens), http.StatusOK)
}

func prefixed(prefix string, values []string) []string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = prefix + value
	}
	return all
}

// shortestProblem is fewer bytes than the JSON of a problem has, and more than an identifier.
const shortestProblem = 60

// do sends the next request. It is what is measured.
func (c *client) do() error {
	i := c.next
	if c.next++; c.next == len(c.values) {
		c.next = 0
	}
	c.line[0] = c.values[i]
	clear(c.answer.header)
	c.answer.status, c.answer.length, c.answer.text = http.StatusOK, 0, ""
	c.handler.ServeHTTP(c.answer, c.request)
	if c.answer.status != c.status {
		return fmt.Errorf("request %d was answered with status %d, want %d", i, c.answer.status, c.status)
	}
	if c.status == http.StatusOK {
		if c.answer.text != c.world.ids[i] {
			return fmt.Errorf("request %d was taken for one of user %q, want %q", i, c.answer.text, c.world.ids[i])
		}
	} else if c.answer.length < shortestProblem {
		return fmt.Errorf("refusal %d has a body of %d bytes, want a whole problem", i, c.answer.length)
	}
	return nil
}

// side returns what is measured, after each value was sent once: caches are filled, and first uses
// are written.
func (c *client) side() (paired.Side, error) {
	for range c.values {
		if err := c.do(); err != nil {
			return paired.Side{}, err
		}
	}
	if c.status >= 400 {
		if err := c.checkProblem(); err != nil {
			return paired.Side{}, err
		}
	}
	return paired.Side{Op: c.do}, nil
}

// checkProblem looks once at the whole answer to a refused request.
func (c *client) checkProblem() error {
	c.line[0] = c.values[0]
	recorder := httptest.NewRecorder()
	c.handler.ServeHTTP(recorder, c.request)
	body, err := io.ReadAll(recorder.Body)
	var problem struct{ Title, Detail, Code string }
	if err == nil {
		err = json.Unmarshal(body, &problem)
	}
	header := recorder.Header()
	switch {
	case err != nil:
		return fmt.Errorf("the refusal's body is %q: %w", body, err)
	case problem.Title == "" || problem.Detail == "" || problem.Code == "":
		return fmt.Errorf("the refusal's body is %q, want title, detail and code", body)
	case header.Get("Content-Type") != "application/problem+json" || header.Get("Cache-Control") != "no-store" ||
		header.Get("Vary") == "" || c.status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "":
		return fmt.Errorf("the refusal's header is %v, want one of a problem", header)
	}
	return nil
}

// pair returns both sides of a line.
func pair(entry, floor *client) (line comparison, err error) {
	a, errEntry := entry.side()
	b, errFloor := floor.side()
	return comparison{a, b}, errors.Join(errEntry, errFloor)
}

// comparison is a line that is ready to be measured.
type comparison struct{ entry, floor paired.Side }

// repeated returns a value n times.
func repeated(value string, n int) []string { return slices.Repeat([]string{value}, n) }
