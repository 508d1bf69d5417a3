package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthCalls checks what holds for every method.
func oauthCalls(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a context that has ended is an error, and changes nothing", oauthCancelled)
}

func oauthCancelled(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("x", "")
	kept := oauthGrant("x", "x")
	kept.ClientID, kept.SessionID = "x", "x"
	_, err := s.approved(server.Approval{Grant: kept, Code: oauthCode(kept, "x"),
		Remember: &server.Consent{UserID: "x", ClientID: "x", Permissions: kept.Permissions, Created: noon,
			Updated: noon}})
	s.must(err)
	tokens := oauthTokens(kept, "x")
	_, err = s.AddAccess(t.Context(), tokens.Access, noon)
	s.must(err)
	other := oauthGrant("x", "other")
	tokens = oauthTokens(other, "other")
	tokens.Access.Digest, tokens.Refresh.Digest = "x", "x"
	_, err = s.started(other, tokens)
	s.must(err)
	s.must(s.AddInteraction(t.Context(), &server.Interaction{Digest: "x", Created: noon, ExpiresAt: noon.Add(time.Hour),
		Data: []byte("{}")}, 0))
	before := s.state()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, calls := range []map[string]func() error{s.clientCalls(ctx), s.grantCalls(ctx, kept, other)} {
		for name, call := range calls {
			if err := call(); err == nil {
				t.Errorf("%s went on, want an error", name)
			}
			if after := s.state(); after != before {
				t.Errorf("%s changed\n%s\nto\n%s", name, before, after)
				before = after
			}
		}
	}
	if fresh, err := s.PutOnce(t.Context(), "x", noon.Add(time.Hour), noon); !fresh || err != nil {
		t.Errorf("the key was noted: %v", err)
	}
	if pending, err := s.Interaction(t.Context(), "new", noon); pending != nil || err != nil {
		t.Errorf("the interaction was added: %v", err)
	}
}

// state is all that a call of [oauthCancelled] could change, but what it would add.
func (s oauthStore) state() string {
	s.Helper()
	clients, err := s.Clients(s.Context(), "", "", 9)
	s.must(err)
	consents, err := s.Consents(s.Context(), "x", "", 9)
	s.must(err)
	pending, err := s.Interaction(s.Context(), "x", noon)
	s.must(err)
	access, _, err := s.FindAccess(s.Context(), "x")
	s.must(err)
	refresh, _, err := s.FindRefresh(s.Context(), "x")
	s.must(err)
	return s.snapshot("x", "x", "t") + s.snapshot("other") + s.snapshot("g",
		"c") + recordText([]any{clients, consents, pending, access, refresh})
}

// clientCalls calls the methods about clients, pages and consents, and those that are about all records.
func (s oauthStore) clientCalls(ctx context.Context) map[string]func() error {
	return map[string]func() error{
		"AddClient": func() error {
			_, err := s.AddClient(ctx, &server.Client{ID: "new", Updated: noon},
				0)
			return err
		},
		"Client":  func() error { _, err := s.Client(ctx, "x"); return err },
		"Clients": func() error { _, err := s.Clients(ctx, "", "", 1); return err },
		"ChangeClient": func() error {
			_, _, err := s.ChangeClient(ctx, &server.Client{ID: "x", Disabled: true, Updated: noon}, noon)
			return err
		},
		"RemoveClient": func() error { _, _, err := s.RemoveClient(ctx, "x", noon); return err },
		"AddInteraction": func() error {
			return s.AddInteraction(ctx, &server.Interaction{Digest: "new", ExpiresAt: noon.Add(time.Hour)}, 0)
		},
		"Interaction":        func() error { _, err := s.Interaction(ctx, "x", noon); return err },
		"ConsumeInteraction": func() error { _, err := s.ConsumeInteraction(ctx, "x", noon); return err },
		"Consent":            func() error { _, err := s.Consent(ctx, "x", "x"); return err },
		"Consents":           func() error { _, err := s.Consents(ctx, "x", "", 9); return err },
		"Withdraw":           func() error { _, err := s.Withdraw(ctx, "x", "x", noon); return err },
		"PutOnce":            func() error { _, err := s.PutOnce(ctx, "x", noon.Add(time.Hour), noon); return err },
		"Purge":              func() error { _, err := s.Purge(ctx, noon.Add(9*time.Hour), 9); return err },
	}
}

// grantCalls calls the methods about grants and their tokens.
func (s oauthStore) grantCalls(ctx context.Context, kept, other *server.Grant) map[string]func() error {
	return map[string]func() error{
		"Approve": func() error {
			g := oauthGrant("alice", "g")
			_, err := s.Approve(ctx, server.Approval{Grant: g, Code: oauthCode(g, "c")})
			return err
		},
		"FindCode": func() error { _, _, err := s.FindCode(ctx, "x"); return err },
		"Redeem": func() error {
			_, err := s.Redeem(ctx, "x", noon, oauthTokens(kept, "t"))
			return err
		},
		"Start": func() error {
			g := oauthGrant("alice", "g")
			_, err := s.Start(ctx, g, oauthTokens(g, "t"), 0, false)
			return err
		},
		"FindRefresh": func() error { _, _, err := s.FindRefresh(ctx, "x"); return err },
		"Rotate": func() error {
			_, err := s.Rotate(ctx, "x", noon, 0, oauthTokens(other, "t"))
			return err
		},
		"FindAccess": func() error { _, _, err := s.FindAccess(ctx, "x"); return err },
		"AddAccess": func() error {
			_, err := s.AddAccess(ctx, oauthTokens(kept, "t").Access, noon)
			return err
		},
		"RemoveAccess":   func() error { _, err := s.RemoveAccess(ctx, "x"); return err },
		"Grant":          func() error { _, err := s.Grant(ctx, "x"); return err },
		"Grants":         func() error { _, err := s.Grants(ctx, "x", "", 9, noon); return err },
		"GrantsByClient": func() error { _, err := s.GrantsByClient(ctx, "x", "", 9, noon); return err },
		"End":            func() error { _, err := s.End(ctx, "x", noon); return err },
		"EndSession":     func() error { _, err := s.EndSession(ctx, "x", noon); return err },
		"EndAll":         func() error { _, err := s.EndAll(ctx, "x", "", "", noon); return err },
	}
}
