package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/gatewarden/auth/oauth2/external"
)

// The kinds of keys of external logins.
const (
	externalIdentities  kind = "xi" // an identity, by accountOf. It has no end
	externalIDs         kind = "xd" // the account of an identity, by its ID. It has no end
	externalLists       kind = "xu" // index of a user's identities: see listed. It has no end
	externalVersion     kind = "xv" // version of the indexes of a user
	externalReserved    kind = "xr" // a reservation, by account
	externalReservedIDs kind = "xn" // the account of a reservation, by its ID
	externalReservedEnd kind = "xe" // index of the accounts of reservations by expiry
	externalCodes       kind = "xc" // a code, by digest
	externalCodeLists   kind = "xl" // index of the digests of a user's codes
	externalCodesEnd    kind = "xx" // index of the digests of codes by expiry
	externalOnce        kind = "xo" // a key that is used once
	externalOnceEnd     kind = "xp" // index of those keys of a tag by expiry
)

// externalTag is the tag of identities, reservations and codes. An identity is found by its account and by its user,
// and one change compares both. Codes are removed with the user, but their digests do not name a user. The price is
// that one node of a Cluster has all of these: about 2 kB for an identity.
const externalTag tag = "external"

var (
	errSameIdentity    = errors.New("redisstore: there is an identity of that ID")
	errSameReservation = errors.New("redisstore: there is a reservation of that ID")
)

// identityRow is an identity as Redis has it.
type identityRow struct {
	Version  int    `json:"v"`
	ID       string `json:"i"`
	UserID   string `json:"u"`
	Issuer   string `json:"o"`
	Subject  string `json:"s"`
	Provider string `json:"p,omitempty"`
	Email    string `json:"m,omitempty"`
	Verified bool   `json:"f,omitempty"`
	Name     string `json:"n,omitempty"`
	Created  micros `json:"c"`
	LastUsed micros `json:"t,omitempty"`
}

func identityRowOf(i *external.Identity) identityRow {
	return identityRow{1, i.ID, i.UserID, i.Issuer, i.Subject, i.Provider, i.Email, i.EmailVerified, i.Name,
		microsOf(i.Created), microsOf(i.LastUsed)}
}

func (r identityRow) identity() *external.Identity {
	return &external.Identity{ID: r.ID, UserID: r.UserID, Issuer: r.Issuer, Subject: r.Subject, Provider: r.Provider,
		Email: r.Email, EmailVerified: r.Verified, Name: r.Name, Created: r.Created.time(), LastUsed: r.LastUsed.time()}
}

// accountRow says which account an ID is of.
type accountRow struct {
	Version int    `json:"v"`
	Account string `json:"a"`
}

// accountOf returns one text for the key of an identity. No two keys have the same.
func accountOf(issuer, subject string) string {
	return strconv.Itoa(len(issuer)) + ":" + issuer + subject
}

// External returns the store of package oauth2/external. Identities have no end, so whatever else is lost, Redis must
// keep its data: a user with a lost identity cannot log in by it, and is made a new account.
func External(db *DB) external.Store { return &externalStore{db} }

type externalStore struct{ db *DB }

var _ external.Store = (*externalStore)(nil)

func (s *externalStore) key(k kind, name string) string { return s.db.key(k, externalTag, name) }

func (s *externalStore) keys(k kind, names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.key(k, name)
	}
	return keys
}

// Identity implements [external.IdentityStore].
func (s *externalStore) Identity(ctx context.Context, issuer, subject string) (*external.Identity, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	return s.load(ctx, newChange(s.db), accountOf(issuer, subject))
}

// load reads the identity of an account in a change, or nil.
func (s *externalStore) load(ctx context.Context, c *change, account string) (*external.Identity, error) {
	var row identityRow
	found, err := c.get(ctx, s.key(externalIdentities, account), &row)
	if err != nil || !found {
		return nil, err
	}
	return row.identity(), nil
}

// Identities implements [external.IdentityStore].
func (s *externalStore) Identities(ctx context.Context, userID string) ([]*external.Identity, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	all, err := s.ofUser(ctx, newChange(s.db), userID)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *external.Identity) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// ofUser reads all identities of a user in a change.
func (s *externalStore) ofUser(ctx context.Context, c *change, userID string) ([]*external.Identity, error) {
	accounts, err := c.digestsOf(ctx, s.key(externalLists, userID), s.key(externalVersion, userID),
		func(account string) []string { return []string{s.key(externalIdentities, account)} })
	if err != nil {
		return nil, err
	}
	var all []*external.Identity
	for _, account := range accounts {
		i, err := s.load(ctx, c, account)
		if err != nil {
			return nil, err
		}
		if i != nil && i.UserID == userID {
			all = append(all, i)
		}
	}
	return all, nil
}

// Link implements [external.IdentityStore].
func (s *externalStore) Link(ctx context.Context, identity *external.Identity) (owner string, linked bool, err error) {
	return s.link(ctx, identity, false)
}

// LinkFirst implements [external.IdentityStore].
func (s *externalStore) LinkFirst(ctx context.Context, identity *external.Identity) (owner string, linked bool,
	err error) {
	return s.link(ctx, identity, true)
}

// link is Link, or LinkFirst if first is set.
func (s *externalStore) link(ctx context.Context, identity *external.Identity, first bool) (string, bool, error) {
	var owner string
	var linked bool
	account := accountOf(identity.Issuer, identity.Subject)
	err := s.db.transact(ctx, identity.UserID, func(ctx context.Context, c *change) error {
		owner, linked = "", false
		has, err := s.load(ctx, c, account)
		if err != nil {
			return err
		}
		if has != nil {
			owner = has.UserID
			return nil
		}
		if first {
			all, err := s.ofUser(ctx, c, identity.UserID)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(i *external.Identity) bool { return i.Issuer == identity.Issuer }) {
				return nil
			}
		}
		owner, linked = identity.UserID, true
		return s.add(ctx, c, account, identity)
	})
	if err != nil {
		return "", false, err
	}
	return owner, linked, nil
}

// add writes an identity of an account that is free, in place of a reservation.
func (s *externalStore) add(ctx context.Context, c *change, account string, i *external.Identity) error {
	id := s.key(externalIDs, i.ID)
	if err := c.read(ctx, id, s.key(externalReserved, account)); err != nil {
		return err
	}
	if c.exists(id) {
		return errSameIdentity
	}
	c.set(s.key(externalIdentities, account), identityRowOf(i), 0)
	c.set(id, accountRow{1, account}, 0)
	c.addMember(s.key(externalLists, i.UserID), listed(i.ID, account), 0)
	c.changeVersion(s.key(externalVersion, i.UserID))
	return s.dropReservation(ctx, c, account)
}

// remove removes an identity and the reservation of its account. It takes no memory of the server.
func (s *externalStore) remove(ctx context.Context, c *change, i *external.Identity) error {
	account := accountOf(i.Issuer, i.Subject)
	c.remove(s.key(externalIdentities, account))
	c.remove(s.key(externalIDs, i.ID))
	c.removeMember(s.key(externalLists, i.UserID), listed(i.ID, account))
	return s.dropReservation(ctx, c, account)
}

// Touch implements [external.IdentityStore].
func (s *externalStore) Touch(ctx context.Context, seen *external.Identity) error {
	account := accountOf(seen.Issuer, seen.Subject)
	return s.db.transact(ctx, seen.UserID, func(ctx context.Context, c *change) error {
		has, err := s.load(ctx, c, account)
		if err != nil || has == nil || has.ID != seen.ID || has.UserID != seen.UserID {
			return err
		}
		row := identityRowOf(seen)
		row.Created = microsOf(has.Created)
		c.set(s.key(externalIdentities, account), row, 0)
		return nil
	})
}

// Unlink implements [external.IdentityStore].
func (s *externalStore) Unlink(ctx context.Context, userID, id string, keepLast bool) (*external.Identity,
	external.UnlinkVerdict, error) {
	var removed *external.Identity
	var verdict external.UnlinkVerdict
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		removed, verdict = nil, external.UnlinkUnknown
		all, err := s.ofUser(ctx, c, userID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(identity *external.Identity) bool { return identity.ID == id })
		switch {
		case i < 0:
			return nil
		case keepLast && len(all) == 1:
			verdict = external.UnlinkLast
			return nil
		}
		removed, verdict = all[i], external.UnlinkRemoved
		return s.remove(ctx, c, removed)
	})
	if err != nil {
		return nil, external.UnlinkUnknown, err
	}
	return removed, verdict, nil
}

// RemoveUser implements [external.Store].
func (s *externalStore) RemoveUser(ctx context.Context, userID string) (int, error) {
	n := 0
	err := s.db.transact(ctx, userID, func(ctx context.Context, c *change) error {
		n = 0
		all, err := s.ofUser(ctx, c, userID)
		if err != nil {
			return err
		}
		for _, i := range all {
			if err := s.remove(ctx, c, i); err != nil {
				return err
			}
			n++
		}
		return s.removeCodes(ctx, c, userID)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
