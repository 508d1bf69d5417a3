package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// Transfer returns all records of a database, to copy them from or to another engine. Nothing else may write to the
// keys while records are copied to them. An export reads beside instances that run, but not while slots of a Cluster
// move. The README lists the right that a user of Redis needs for it.
//
// An export goes by the indexes of each kind. Owners, consents, identities and tokens that never expire are found by
// SCAN instead, and the keys of one such kind are held in memory meanwhile: about 100 bytes each.
func Transfer(db *DB) transfer.Target {
	names := newNames(db)
	jwts, logins := &jwtStore{db}, &externalStore{db}
	oauth := &oauthStore{db}
	return &transferStore{db, map[transfer.Kind]transferKind{
		transfer.Owners:         transferOwners{byName: byName{names, jwtOwners}, jwtStore: jwts},
		transfer.JWTKeys:        transferKeys{jwtKeyStore: &jwtKeyStore{db}},
		transfer.KnoxTokens:     transferTokens{knoxStore: &knoxStore{db}, names: names},
		transfer.KnoxEnded:      transferEnded{knoxStore: &knoxStore{db}},
		transfer.Sessions:       transferSessions{sessionStore: &sessionStore{db}},
		transfer.JWTLogins:      transferLogins{jwtStore: jwts},
		transfer.OAuthClients:   transferClients{oauthStore: oauth},
		transfer.OAuthConsents:  transferConsents{byName: byName{names, oauthConsents}, oauthStore: oauth},
		transfer.OAuthGrants:    transferGrants{oauthStore: oauth},
		transfer.OAuthPages:     transferPages{oauthStore: oauth},
		transfer.OAuthOnce:      transferOAuthOnce{oauthStore: oauth},
		transfer.Identities:     transferIdentities{byName: byName{names, externalIdentities}, externalStore: logins},
		transfer.Reservations:   transferReservations{externalStore: logins},
		transfer.LoginCodes:     transferCodes{externalStore: logins},
		transfer.LoginOnce:      transferLoginOnce{externalStore: logins},
		transfer.OneTimeTokens:  transferOneTime{oneTimeStore: &oneTimeStore{db}},
		transfer.ThrottleCounts: transferCounters{throttleStore: &throttleStore{db}, names: names},
	}}
}

// transferStore is a Source and a Target.
type transferStore struct {
	db  *DB
	all map[transfer.Kind]transferKind
}

// ref is where a record is: the tag and the name of its key. A ref without a name is that of a record that is not
// there.
type ref struct {
	t    tag
	name string
}

// transferKind reads and writes the records of one kind.
type transferKind interface {
	// is reports whether a record has the type of the kind.
	is(record transfer.Record) bool

	// page returns at most limit records after a position, in the order of Export. Some of them may be of no use any
	// more. Where a record is that went meanwhile, nil is returned.
	page(ctx context.Context, after string, limit int, now time.Time) (records []transfer.Record, next string,
		err error)

	// refOf returns where a record is stored, by its own fields.
	refOf(record transfer.Record) ref

	// find returns where the records with the keys of others are, if they are there.
	find(ctx context.Context, like []transfer.Record) ([]ref, error)

	// load reads records. It returns nil for one that is not there.
	load(ctx context.Context, at []ref) ([]transfer.Record, error)

	// own returns the kind of the keys that have one record each. It is "" if there is no such kind.
	own() kind

	// add writes records of one tag, in the place of what is there.
	add(ctx context.Context, c *change, t tag, records []transfer.Record, now time.Time) error

	// remove removes records of one tag, with all that belongs to them.
	remove(ctx context.Context, c *change, t tag, names []string) error
}

// of returns how a kind is moved, for records which must be of this kind.
func (m *transferStore) of(k transfer.Kind, records ...transfer.Record) (transferKind, error) {
	moves, ok := m.all[k]
	if !ok {
		return nil, fmt.Errorf("redisstore: there is no kind %q of records", k)
	}
	for _, record := range records {
		if !moves.is(record) || record.Kind() != k {
			return nil, fmt.Errorf("redisstore: a record of type %T is not of the kind %q", record, k)
		}
	}
	return moves, nil
}

// failed says which kind of records an error is about.
func failed(k transfer.Kind, err error) error { return fmt.Errorf("%s: %w", k, err) }

// Export implements [transfer.Source].
func (m *transferStore) Export(ctx context.Context, k transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	moves, err := m.of(k)
	if err != nil {
		return transfer.Page{}, err
	}
	records, next, err := moves.page(ctx, after, max(limit, 1), now)
	var unreadable *transfer.UnreadableError
	if errors.As(err, &unreadable) {
		for i, one := range unreadable.Errs {
			unreadable.Errs[i] = failed(k, one)
		}
	} else if err != nil {
		return transfer.Page{}, failed(k, err)
	}
	page := transfer.Page{Next: next}
	for _, record := range records {
		if record != nil && record.Keep(now) {
			page.Records = append(page.Records, record)
		}
	}
	return page, err
}

// countAtOnce is how many records Count reads at once.
const countAtOnce = 1000

// Count implements [transfer.Source]. It reads all records, but those of which there may be very many. Of these it
// reads the indexes.
func (m *transferStore) Count(ctx context.Context, k transfer.Kind, now time.Time) (int, error) {
	if many, ok := m.all[k].(interface {
		count(ctx context.Context, now time.Time) (int, error)
	}); ok {
		n, err := many.count(ctx, now)
		if err != nil {
			return 0, failed(k, err)
		}
		return n, nil
	}
	n, after := 0, ""
	for {
		page, err := m.Export(ctx, k, after, countAtOnce, now)
		if err != nil {
			return 0, err
		}
		n += len(page.Records)
		if after = page.Next; after == "" {
			return n, nil
		}
	}
}

// Lookup implements [transfer.Source].
func (m *transferStore) Lookup(ctx context.Context, k transfer.Kind, like []transfer.Record,
	now time.Time) ([]transfer.Record, error) {
	moves, err := m.of(k, like...)
	if err != nil || len(like) == 0 {
		return nil, err
	}
	at, err := moves.find(ctx, like)
	if err != nil {
		return nil, failed(k, err)
	}
	found, err := moves.load(ctx, at)
	if err != nil {
		return nil, failed(k, err)
	}
	for i, record := range found {
		if record != nil && !record.Keep(now) {
			found[i] = nil
		}
	}
	return found, nil
}
