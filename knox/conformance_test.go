package knox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/knox"
)

// held is a store that has been down for one token since that was issued.
type held struct {
	knox.Store
	down string
}

func (h *held) Find(ctx context.Context, digest string) (*knox.Record, error) {
	record, err := h.Store.Find(ctx, digest)
	if record != nil && record.ID == h.down {
		return nil, errors.New("the store is down")
	}
	return record, err
}

func TestUnitTokensKeepTheContractOfABackend(t *testing.T) {
	store := &held{Store: knox.NewMemoryStore()}
	load := func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil }
	tokens, err := knox.New(knox.Config{Store: store, Token: knox.TokenSettings{Prefix: "gw_"}, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(user string, options knox.Options) *knox.Issued {
		issued, err := tokens.Issue(t.Context(), user, options)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	with := func(issued *knox.Issued) authtest.Request {
		return authtest.RequestWith("Authorization", "Token "+issued.Secret.Reveal())
	}
	revoked, lost := issue("alice", knox.Options{}), issue("alice", knox.Options{})
	if _, err := tokens.Revoke(t.Context(), "alice", revoked.Token.ID()); err != nil {
		t.Fatal(err)
	}
	store.down = lost.Token.ID()
	authtest.Backend(t, tokens, authtest.Cases{
		Good: []authtest.Good{
			{Request: with(issue("alice", knox.Options{})), User: "alice"},
			{Request: with(issue("bob", knox.Options{Scopes: []string{"read", "write"}})), User: "bob",
				Scopes: []string{"read", "write"}},
			{Request: with(issue("carol", knox.Options{Limited: true})), User: "carol", Limited: true},
		},
		Absent:       []authtest.Request{authtest.RequestWith("Authorization", "Bearer abc")},
		Invalid:      []authtest.Request{with(revoked)},
		Malformed:    []authtest.Request{authtest.RequestWith("Authorization", "Token a b")},
		Unrecognized: []authtest.Request{authtest.RequestWith("Authorization", "Token other_abc")},
		Outage:       []authtest.Request{with(lost)},
	})
}
