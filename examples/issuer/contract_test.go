package main

import (
	"context"
	"errors"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestUnitTicketsKeepTheContractOfABackend(t *testing.T) {
	users := &table{}
	for _, name := range []string{"alice", "bob", "carol"} {
		users.set(name, "1")
	}
	load := func(ctx context.Context, id string) (auth.User, error) {
		if id == "carol" {
			return nil, errors.New("down")
		}
		return users.load(ctx, id)
	}
	tickets, handler, err := service(users.load, shown{users, primary})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, users: users, tickets: tickets, handler: handler}
	full, limited := c.login("Shown alice 1"), c.login("Shown alice 1", "Ticket-Scope", "read write")
	nothing := c.login("Shown alice 1", "Ticket-Scope", "")
	revoked, stale, down := c.login("Shown alice 1"), c.login("Shown bob 1"), c.login("Shown carol 1")
	c.want("logout", 204, "", "POST", "/logout", "", "Authorization", revoked)
	users.set("bob", "2")
	tickets.users = load

	with := func(authorization string) authtest.Request {
		return authtest.RequestWith("Authorization", authorization)
	}
	authtest.Backend(t, tickets, authtest.Cases{
		Good: []authtest.Good{
			{Request: with(full), User: "alice"},
			{Request: with("tIcKeT" + full[len("Ticket"):]), User: "alice"},
			{Request: with(limited), User: "alice", Scopes: []string{"read", "write"}},
			{Request: with(nothing), User: "alice", Limited: true},
		},
		Absent:       []authtest.Request{with("Bearer abc"), authtest.RequestWith("Cookie", "ticket="+full)},
		Invalid:      []authtest.Request{with(revoked), with(stale), with(full[:len(full)-1])},
		Malformed:    []authtest.Request{with("Ticket"), with("Ticket a b"), with("Ticket a,b")},
		Unrecognized: []authtest.Request{with("Ticket abc")},
		Outage:       []authtest.Request{with(down)},
	})
}
