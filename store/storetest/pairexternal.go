package storetest

import (
	"context"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// ExternalPair returns a store for [External] that sends its calls to two stores in turn.
func ExternalPair(first, second external.Store) external.Store {
	return externalPair{newPair(first, second)}
}

type externalPair struct{ *pair[external.Store] }

func (p externalPair) Reserve(ctx context.Context, reservation *external.Reservation,
	now time.Time) (string, string, error) {
	return p.next().Reserve(ctx, reservation, now)
}

func (p externalPair) Confirm(ctx context.Context, reservationID string, identity *external.Identity,
	now time.Time) (string, bool, error) {
	return p.next().Confirm(ctx, reservationID, identity, now)
}

func (p externalPair) RemoveUser(ctx context.Context, userID string) (int, error) {
	return p.next().RemoveUser(ctx, userID)
}

func (p externalPair) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.next().Purge(ctx, now, limit)
}

func (p externalPair) Identity(ctx context.Context, issuer, subject string) (*external.Identity, error) {
	return p.next().Identity(ctx, issuer, subject)
}

func (p externalPair) Identities(ctx context.Context, userID string) ([]*external.Identity, error) {
	return p.next().Identities(ctx, userID)
}

func (p externalPair) Link(ctx context.Context, identity *external.Identity) (string, bool, error) {
	return p.next().Link(ctx, identity)
}

func (p externalPair) LinkFirst(ctx context.Context, identity *external.Identity) (string, bool, error) {
	return p.next().LinkFirst(ctx, identity)
}

func (p externalPair) Touch(ctx context.Context, identity *external.Identity) error {
	return p.next().Touch(ctx, identity)
}

func (p externalPair) Unlink(ctx context.Context, userID, id string,
	keepLast bool) (*external.Identity, external.UnlinkVerdict, error) {
	return p.next().Unlink(ctx, userID, id, keepLast)
}

func (p externalPair) AddCode(ctx context.Context, code *external.Code) error {
	return p.next().AddCode(ctx, code)
}

func (p externalPair) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	return p.next().TakeCode(ctx, digest, now)
}

func (p externalPair) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	return p.next().PutOnce(ctx, key, expires, now)
}
