package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatewarden/auth/backend"
)

// interactionTTL is how long a page waits for an answer.
const interactionTTL = 30 * time.Minute

// maxPages is the most pages of a user that wait for an answer.
const maxPages = 100

// The kinds of interactions. The answer to one does not answer another.
const (
	kindConsent = "consent"
	kindLogout  = "logout"
)

// interactionData is the Data of an interaction.
type interactionData struct {
	Kind  string          `json:"kind"`
	Asked json.RawMessage `json:"asked"`
}

// saveInteraction keeps what a page asks a user, and returns the secret that names it in the
// form. The answer is that user's alone.
func (s *Server) saveInteraction(ctx context.Context, p signedInUser, kind string, asked any) (
	secret string, err error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(interactionData{kind, text})
	if err != nil {
		return "", err
	}
	i := &Interaction{ID: backend.NewID(), UserID: p.user.UserID(), SessionID: p.session, Created: now(), Data: data}
	i.ExpiresAt = i.Created.Add(interactionTTL)
	secret = backend.NewToken("", i.UserID, backend.DefaultTokenLength)
	i.Digest = digestOf(secret)
	return secret, s.config.Store.AddInteraction(ctx, i, maxPages)
}

// loadInteraction returns an interaction of a kind, or nil, and reads what it asks into
// asked.
func (s *Server) loadInteraction(ctx context.Context, secret, kind string, asked any) (*Interaction, error) {
	if !backend.OwnsToken(secret, "") {
		return nil, nil
	}
	i, err := s.config.Store.Interaction(ctx, digestOf(secret), now())
	if err != nil || i == nil {
		return nil, err
	}
	var data interactionData
	if err := json.Unmarshal(i.Data, &data); err != nil || data.Kind != kind {
		return nil, err
	}
	return i, json.Unmarshal(data.Asked, asked)
}

// findAnswered returns the interaction that a form answers. It is errFormRejected if this user saw no such interaction
// in this session. What the answer leads to uses the interaction up, in one step of the store, so that an outage before
// does not lose the page.
func (s *Server) findAnswered(ctx context.Context, secret string, p signedInUser, kind string,
	asked any) (*Interaction, error) {
	i, err := s.loadInteraction(ctx, secret, kind, asked)
	switch {
	case err != nil:
		return nil, err
	case i == nil:
		return nil, errFormRejected(errNoInteraction)
	case i.UserID != p.user.UserID():
		return nil, errFormRejected(errOtherUser)
	case i.SessionID != p.session:
		return nil, errFormRejected(errOtherSession)
	}
	return i, nil
}

// consume uses up an interaction if its answer leads to nothing else in the store.
func (s *Server) consume(ctx context.Context, i *Interaction) error {
	i, err := s.config.Store.ConsumeInteraction(ctx, i.Digest, now())
	if err == nil && i == nil {
		return errFormRejected(errInteractionUsed)
	}
	return err
}

// markUsed uses up the page of a request if its answer leads to no code, and with it the request.
func (s *Server) markUsed(ctx context.Context, page *Interaction, a *authorization) error {
	key := a.answerKey()
	if key == "" {
		return s.consume(ctx, page)
	}
	fresh, err := s.config.Store.PutOnce(ctx, key, a.answerExpires(), now())
	if err == nil && !fresh {
		return errFormRejected(errInteractionUsed)
	}
	return err // the page is of no use without its request
}
