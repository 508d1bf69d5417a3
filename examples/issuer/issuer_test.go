package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/password"
)

// shown is a login backend for tests. "Authorization: Shown NAME HASH" proves the
// user with this hash, by the credential it holds.
type shown struct {
	users      *table
	credential auth.Credential
}

func (shown) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Shown"}} }

func (s shown) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	name, hash, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Shown "), " ")
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Shown ") {
		return nil, nil, auth.ErrNoCredentials
	}
	user, current, err := s.users.find(r.Context(), name)
	if err != nil || hash != current {
		return nil, nil, auth.ErrInvalid
	}
	return user, s.credential, nil
}

var primary = authtest.Credential{IsPrimary: true, Auth: auth.AuthInfo{AMR: []string{"pwd"}}}

// client is a client of a service with the user alice, with the hash "1".
type client struct {
	t       *testing.T
	users   *table
	tickets *Tickets
	handler http.Handler
	server  *httptest.Server // if nil, the handler is called
}

func newClient(t *testing.T, credential auth.Credential, login ...auth.Authenticator) *client {
	t.Helper()
	users := &table{}
	users.set("alice", "1")
	users.set("bob", "1")
	tickets, handler, err := service(users.load, append(login, shown{users, credential})...)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, users: users, tickets: tickets, handler: handler}
}

func (c *client) overHTTP() *client {
	c.server = httptest.NewServer(c.handler)
	c.t.Cleanup(c.server.Close)
	return c
}

func (c *client) send(method, path, body string, headers ...string) (status int, answer string) {
	target := path
	if c.server != nil {
		target = c.server.URL + path
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if c.server == nil {
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	r.RequestURI = ""
	response, err := c.server.Client().Do(r)
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Error(err)
	}
	return response.StatusCode, string(text)
}

// login returns the value of Authorization for a new ticket.
func (c *client) login(authorization string, headers ...string) string {
	c.t.Helper()
	ticket, answer := c.tryLogin(authorization, headers...)
	if ticket == "" {
		c.t.Fatalf("wanted a ticket, got %s", answer)
	}
	return ticket
}

// tryLogin is login that may fail. Any goroutine may call it.
func (c *client) tryLogin(authorization string, headers ...string) (ticket, answer string) {
	_, answer = c.send("POST", "/tickets/login/", "", append(headers, "Authorization", authorization)...)
	var issued struct{ Ticket string }
	if err := json.Unmarshal([]byte(answer), &issued); err != nil || issued.Ticket == "" {
		return "", answer
	}
	return "Ticket " + issued.Ticket, answer
}

// want fails the test unless the answer has this status and contains text.
func (c *client) want(sentence string, wantStatus int, wantText, method, path, body string, headers ...string) {
	c.t.Helper()
	status, answer := c.send(method, path, body, headers...)
	if status != wantStatus || !strings.Contains(answer, wantText) {
		c.t.Errorf("%s: wanted %d %q, got %d %q", sentence, wantStatus, wantText, status, answer)
	}
}

func (c *client) wantGood(sentence, ticket string) {
	c.t.Helper()
	c.want(sentence, 200, "hello, ", "GET", "/hello", "", "Authorization", ticket)
}

func (c *client) wantEnded(sentence, ticket string) {
	c.t.Helper()
	c.want(sentence, 401, "", "GET", "/hello", "", "Authorization", ticket)
}

func TestUnitLoginByPassword(t *testing.T) {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := hasher.Hash(t.Context(), "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	users := &table{}
	users.set("alice", hash)
	passwords, err := password.New(password.Config{Hasher: hasher, Account: users.find})
	if err != nil {
		t.Fatal(err)
	}
	tickets, handler, err := service(users.load, passwords)
	if err != nil {
		t.Fatal(err)
	}
	c := (&client{t: t, users: users, tickets: tickets, handler: handler}).overHTTP()
	const right = "username=alice&password=open+sesame"
	c.want("a wrong password", 401, "", "POST", "/tickets/login/", "username=alice&password=x")
	status, answer := c.send("POST", "/tickets/login/", right, "Ticket-Scope", "reports:read")
	if status != 200 || !strings.HasPrefix(answer, `{"ticket":"tk_`) {
		t.Fatalf("wanted 200 with a ticket, got %d %s", status, answer)
	}
	limited := "Ticket " + strings.Split(answer, `"`)[3]
	c.want("the ticket proves alice", 200, "hello, alice\n", "GET", "/hello", "", "Authorization", limited)
	c.want("it has no full access", 403, "", "POST", "/logout/others", "", "Authorization", limited)
	c.want("logout", 204, "", "POST", "/logout", "", "Authorization", limited)
	c.wantEnded("the ticket has ended", limited)
}

func TestUnitLoginIsServedAsOthersAre(t *testing.T) {
	c := newClient(t, primary).overHTTP()
	const path, right = "/tickets/login/", "Shown alice 1"
	c.want("nothing", 401, "not_authenticated", "POST", path, "")
	c.want("another method", 405, "method_not_allowed", "GET", path, "", "Authorization", right)
	c.want("another origin", 403, "cross_origin", "POST", path, "",
		"Authorization", right, "Origin", "https://evil.example")
	ticket := c.login(right)
	c.want("a path below", 404, "", "POST", path+"x", "", "Authorization", ticket)
	if _, _, err := service(c.users.load); err == nil {
		t.Error("wanted an error where nobody can log in, got nil")
	}
}

func TestUnitNothingIsIssuedForACredentialThatIsNotPrimary(t *testing.T) {
	for sentence, credential := range map[string]auth.Credential{
		"not primary":          authtest.Credential{},
		"no credential at all": nil,
		"without capabilities": struct{ auth.Credential }{primary},
	} {
		c := newClient(t, credential)
		c.want(sentence, 403, "", "POST", "/tickets/login/", "", "Authorization", "Shown alice 1")
	}
	users := &table{}
	users.set("alice", "1")
	tickets, _, err := service(users.load, shown{users, primary})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tickets},
		Login: []auth.Authenticator{tickets, shown{users, primary}}})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := tickets.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	routes.Register(mux, "/tickets")
	c := &client{t: t, users: users, tickets: tickets, handler: mux}
	c.want("a ticket", 403, "", "POST", "/tickets/login/", "", "Authorization", c.login("Shown alice 1"))
}

func TestUnitScopesNeverGrow(t *testing.T) {
	limited := authtest.Credential{IsPrimary: true, Scope: []string{"read", "write"}}
	nothing := authtest.Credential{IsPrimary: true, Limited: true}
	for _, row := range []struct {
		sentence   string
		credential auth.Credential
		asked      []string // headers
		status     int
		scopes     []string
		limited    bool
	}{
		{"full access without a wish is full access", primary, nil, 200, nil, false},
		{"a wish limits full access", primary, []string{"Ticket-Scope", "write read"}, 200,
			[]string{"write", "read"}, true},
		{"a wish for nothing is nothing", primary, []string{"Ticket-Scope", ""}, 200, nil, true},
		{"a limited login without a wish has its limits", limited, nil, 200, []string{"read", "write"}, true},
		{"a limited login may be limited more", limited, []string{"Ticket-Scope", "read"}, 200, []string{"read"}, true},
		{"a limited login gets no other scope", limited, []string{"Ticket-Scope", "read delete"}, 403, nil, false},
		{"a login limited to nothing gets nothing", nothing, nil, 200, nil, true},
		{"a login limited to nothing gets no scope", nothing, []string{"Ticket-Scope", "read"}, 403, nil, false},
		{"what is not a scope is malformed", primary, []string{"Ticket-Scope", `re"ad`}, 400, nil, false},
		{"text that is not ASCII is malformed", primary, []string{"Ticket-Scope", "r\u00e9ad"}, 400, nil, false},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			c := newClient(t, row.credential)
			if row.status != 200 {
				c.want(row.sentence, row.status, "", "POST", "/tickets/login/", "",
					append(row.asked, "Authorization", "Shown alice 1")...)
				return
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", c.login("Shown alice 1", row.asked...))
			_, credential, err := c.tickets.Authenticate(r)
			if err != nil {
				t.Fatal(err)
			}
			scopes, isLimited := credential.(Ticket).Scopes()
			if !slices.Equal(scopes, row.scopes) || isLimited != row.limited {
				t.Errorf("wanted %q, limited %t, got %q, %t", row.scopes, row.limited, scopes, isLimited)
			}
		})
	}
}

func TestUnitATicketExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, primary)
		ticket := c.login("Shown alice 1")
		time.Sleep(12*time.Hour - time.Nanosecond)
		c.wantGood("just before its end", ticket)
		time.Sleep(time.Nanosecond)
		c.wantEnded("at its end", ticket)
		c.login("Shown alice 1")
		if n := len(c.tickets.issued); n != 1 {
			t.Errorf("wanted the expired ticket to be forgotten at a login, and 1 to be left, got %d", n)
		}
	})
}

func TestUnitATicketEndsWithTheUsersStamp(t *testing.T) {
	c := newClient(t, primary).overHTTP()
	ticket := c.login("Shown alice 1")
	c.users.set("alice", "2")
	c.wantEnded("another password", ticket)
	c.users.set("alice", "1")
	c.wantGood("a user who is as they were", ticket)
	c.users.mu.Lock()
	delete(c.users.hashes, "alice")
	c.users.mu.Unlock()
	c.wantEnded("a user who is gone", ticket)
}

func TestUnitALoginOfAStaleUserGetsNoGoodTicket(t *testing.T) {
	users := &table{}
	users.set("alice", "1")
	// The password is changed after it was proved and before the ticket is made.
	late := auth.Wrap(shown{users, primary}, func(r *http.Request) (auth.User, auth.Credential, error) {
		defer users.set("alice", "2")
		return shown{users, primary}.Authenticate(r)
	})
	tickets, handler, err := service(users.load, late)
	if err != nil {
		t.Fatal(err)
	}
	c := (&client{t: t, users: users, tickets: tickets, handler: handler}).overHTTP()
	c.wantEnded("a ticket of the old password", c.login("Shown alice 1"))
	c.wantGood("a ticket of the new password", c.login("Shown alice 2"))
}

func TestUnitRevoke(t *testing.T) {
	c := newClient(t, primary).overHTTP()
	var tickets []string
	var ids []string
	for range 3 {
		tickets = append(tickets, c.login("Shown alice 1"))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", tickets[len(tickets)-1])
		_, credential, err := c.tickets.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, credential.(Ticket).ID)
	}
	bob := c.login("Shown bob 1")
	c.tickets.Revoke("bob", ids[0])
	c.wantGood("no ticket ends for another user", tickets[0])
	c.tickets.Revoke("alice", ids[0])
	c.wantEnded("the revoked one", tickets[0])
	c.wantGood("another one", tickets[1])
	c.want("logout of the others", 204, "", "POST", "/logout/others", "", "Authorization", tickets[1])
	c.wantGood("the one that was used", tickets[1])
	c.wantEnded("another one", tickets[2])
	c.wantGood("a ticket of another user", bob)
}

func TestUnitRevokeOthersKeepsTheCurrentTicketUnderTheNewStamp(t *testing.T) {
	c := newClient(t, primary)
	current, other := c.login("Shown alice 1"), c.login("Shown alice 1")
	bob := c.login("Shown bob 1")
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{c.tickets}})
	if err != nil {
		t.Fatal(err)
	}
	change := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.users.set("alice", "2")
		if err := c.tickets.RevokeOthers(w, r, account{"alice", "2"}); err != nil {
			t.Error(err)
		}
	}))
	send := func(ticket string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Authorization", ticket)
		change.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(current)
	c.wantGood("the current ticket", current)
	c.wantEnded("the other ticket", other)
	c.wantGood("a ticket of another user", bob)
	send(bob) // bob's ticket is not alice's, so nothing of alice is kept
	c.wantEnded("the ticket that was current", current)
	c.wantGood("the ticket that proved the request", bob)
}

func TestUnitATicketTellsOfItsLogin(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	login := auth.AuthInfo{AuthTime: at, AMR: []string{"pwd"}, ACR: "1"}
	c := newClient(t, authtest.Credential{IsPrimary: true, Auth: login})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", c.login("Shown alice 1"))
	_, credential, err := c.tickets.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	got := credential.(Ticket)
	if info := got.AuthInfo(); !info.AuthTime.Equal(at) || !slices.Equal(info.AMR, []string{"pwd"}) || info.ACR != "1" {
		t.Errorf("wanted the login's own AuthInfo, got %+v", info)
	}
	if got.IP != "192.0.2.1" || got.Ambient() {
		t.Errorf("wanted IP 192.0.2.1 and Ambient false, got %q and %t", got.IP, got.Ambient())
	}
	if _, ok := auth.As[auth.Primary](credential); ok {
		t.Error("wanted a ticket not to be primary, and it has Primary")
	}
}

func TestUnitTheUserIsLoadedAtEveryUse(t *testing.T) {
	c := newClient(t, primary)
	ticket := c.login("Shown alice 1")
	for _, row := range []struct {
		sentence string
		err      error
		status   int
	}{
		{"a user who is disabled", auth.ErrUserInactive, 401},
		{"a user who is gone", auth.ErrUserNotFound, 401},
		{"an outage", errors.New("down"), 503},
	} {
		c.tickets.users = func(context.Context, string) (auth.User, error) { return nil, row.err }
		c.want(row.sentence, row.status, "", "GET", "/hello", "", "Authorization", ticket)
		c.want(row.sentence+" at a login", row.status, "", "POST", "/tickets/login/", "",
			"Authorization", "Shown alice 1")
	}
	if n := len(c.tickets.issued); n != 1 {
		t.Errorf("wanted no ticket to be made by the logins that were refused, got %d more", n-1)
	}
}

// Logins race a change of the password that ends everything. Whatever the order,
// no ticket of the old password is good afterwards.
func TestUnitNoTicketOutlivesTheChangeThatItsLoginRaced(t *testing.T) {
	c := newClient(t, primary).overHTTP()
	const rounds, logins = 20, 8
	for round := range rounds {
		before, after := strconv.Itoa(round), strconv.Itoa(round+1)
		c.users.set("alice", before)
		tickets := make(chan string, logins)
		var racing sync.WaitGroup
		for range logins {
			racing.Go(func() {
				if ticket, _ := c.tryLogin("Shown alice " + before); ticket != "" {
					tickets <- ticket
				}
			})
		}
		racing.Go(func() {
			c.users.set("alice", after)
			r := httptest.NewRequest("POST", "/", nil)
			if err := c.tickets.RevokeOthers(nil, r, account{"alice", after}); err != nil {
				t.Error(err)
			}
		})
		racing.Wait()
		close(tickets)
		for ticket := range tickets {
			c.wantEnded("a ticket of the old password", ticket)
		}
		c.wantGood("a ticket of the new password", c.login("Shown alice "+after))
	}
}

// A ticket that a client has when it ends all its tickets is among those that end,
// however many logins are under way.
func TestUnitRevokeAllEndsWhatWasIssuedBefore(t *testing.T) {
	c := newClient(t, primary).overHTTP()
	var racing sync.WaitGroup
	for range 8 {
		racing.Go(func() {
			for range 8 {
				ticket, answer := c.tryLogin("Shown alice 1")
				if ticket == "" {
					t.Errorf("wanted a ticket, got %s", answer)
				}
				r := httptest.NewRequest("POST", "/", nil)
				if err := c.tickets.RevokeOthers(nil, r, account{"alice", "1"}); err != nil {
					t.Error(err)
				}
				c.wantEnded("a ticket from before", ticket)
			}
		})
	}
	racing.Wait()
	if n := len(c.tickets.issued); n != 0 {
		t.Errorf("wanted no ticket to be left, got %d", n)
	}
}
