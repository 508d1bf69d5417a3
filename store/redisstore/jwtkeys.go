package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtKeySet is the kind of the one key that has all keys of a [jwt.Keyring]. They are few, and each change depends on
// more than one of them. So one value is compared and written.
const jwtKeySet kind = "jk"

// jwtKeyTag is the tag of that key.
const jwtKeyTag tag = "keys"

var errKeyExists = errors.New("redisstore: there is a key with this identifier")

// keySetRow is all keys as Redis has them, in the order of Keys.
type keySetRow struct {
	Version int         `json:"v"`
	Keys    []keyingRow `json:"k"`
}

type keyingRow struct {
	ID        string `json:"i"`
	Algorithm string `json:"a"`
	Sealed    []byte `json:"s"`
	Created   micros `json:"c"`
	Signs     micros `json:"n"`
	Expires   micros `json:"e,omitempty"`
}

func keyingRowOf(r *jwt.KeyRecord) keyingRow {
	return keyingRow{r.ID, string(r.Algorithm), r.Sealed, microsOf(r.Created),
		microsOf(r.SignsFrom), microsOf(r.ExpiresAt)}
}

func (r keyingRow) record() *jwt.KeyRecord {
	return &jwt.KeyRecord{ID: r.ID, Algorithm: jwt.Algorithm(r.Algorithm), Sealed: r.Sealed, Created: r.Created.time(),
		SignsFrom: r.Signs.time(), ExpiresAt: r.Expires.time()}
}

// JWTKeys returns the store of the keys of a [jwt.Keyring]. They are sealed with an application key, and live until
// they are removed.
func JWTKeys(db *DB) jwt.KeyStore { return &jwtKeyStore{db} }

type jwtKeyStore struct{ db *DB }

var _ jwt.KeyStore = (*jwtKeyStore)(nil)

func (s *jwtKeyStore) key() string { return s.db.key(jwtKeySet, jwtKeyTag, "") }

// Keys implements [jwt.KeyStore].
func (s *jwtKeyStore) Keys(ctx context.Context) ([]*jwt.KeyRecord, error) {
	var set keySetRow
	if _, err := s.db.get(ctx, s.key(), &set); err != nil {
		return nil, err
	}
	all := make([]*jwt.KeyRecord, len(set.Keys))
	for i, row := range set.Keys {
		all[i] = row.record()
	}
	return all, nil
}

// change has decide change all keys, and writes them if it reports that it did.
func (s *jwtKeyStore) change(ctx context.Context, decide func(set *keySetRow) (bool, error)) (bool, error) {
	did := false
	err := s.db.transact(ctx, s.key(), func(ctx context.Context, c *change) error {
		did = false
		var set keySetRow
		if _, err := c.get(ctx, s.key(), &set); err != nil {
			return err
		}
		done, err := decide(&set)
		if err != nil || !done {
			return err
		}
		did = true
		s.write(c, set)
		return nil
	})
	return did && err == nil, err
}

// write writes all keys.
func (s *jwtKeyStore) write(c *change, set keySetRow) {
	if len(set.Keys) == 0 {
		c.remove(s.key())
		return
	}
	set.Version = 1
	slices.SortFunc(set.Keys, func(a, b keyingRow) int {
		return cmp.Or(cmp.Compare(a.Signs, b.Signs), cmp.Compare(a.ID, b.ID))
	})
	c.set(s.key(), set, 0)
}

// index returns where a key is, or -1.
func (set *keySetRow) index(id string) int {
	return slices.IndexFunc(set.Keys, func(r keyingRow) bool { return r.ID == id })
}

// Add implements [jwt.KeyStore].
func (s *jwtKeyStore) Add(ctx context.Context, record *jwt.KeyRecord, last string) (bool, error) {
	return s.change(ctx, func(set *keySetRow) (bool, error) {
		newest := ""
		for _, row := range set.Keys {
			if row.Algorithm == string(record.Algorithm) {
				newest = row.ID
			}
		}
		if newest != last {
			return false, nil
		}
		if set.index(record.ID) >= 0 {
			return false, errKeyExists
		}
		set.Keys = append(set.Keys, keyingRowOf(record))
		return true, nil
	})
}

// Change implements [jwt.KeyStore].
func (s *jwtKeyStore) Change(ctx context.Context, before *jwt.KeyRecord, signs, ends time.Time) (bool, error) {
	return s.change(ctx, func(set *keySetRow) (bool, error) {
		i := set.index(before.ID)
		if i < 0 || set.Keys[i].Signs != microsOf(before.SignsFrom) ||
			set.Keys[i].Expires != microsOf(before.ExpiresAt) {
			return false, nil
		}
		set.Keys[i].Signs, set.Keys[i].Expires = microsOf(signs), microsOf(ends)
		return true, nil
	})
}

// SetEnd implements [jwt.KeyStore].
func (s *jwtKeyStore) SetEnd(ctx context.Context, id string, ends time.Time) (bool, error) {
	return s.change(ctx, func(set *keySetRow) (bool, error) {
		i := set.index(id)
		if i < 0 || set.Keys[i].Expires != 0 && set.Keys[i].Expires <= microsOf(ends) {
			return false, nil
		}
		set.Keys[i].Expires = microsOf(ends)
		return true, nil
	})
}

// Remove implements [jwt.KeyStore].
func (s *jwtKeyStore) Remove(ctx context.Context, id string) (bool, error) {
	return s.change(ctx, func(set *keySetRow) (bool, error) {
		i := set.index(id)
		if i < 0 {
			return false, nil
		}
		set.Keys = slices.Delete(set.Keys, i, i+1)
		return true, nil
	})
}
