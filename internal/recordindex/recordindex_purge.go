package recordindex

import "time"

// Purge calls remove with at most limit records that have expired at now, in order of
// their expiry, and returns how many. The function removes the record. Purge does a
// bounded amount of work. more reports whether another call now may find more: see package
// expiry.
func (x *Index[R]) Purge(now time.Time, limit int, remove func(record *R)) (removed int, more bool) {
	return x.expiry.Purge(now, limit, func(digest string) { remove(x.Get(digest)) })
}

// Looked returns how many records purges looked at, for tests.
func (x *Index[R]) Looked() int { return x.expiry.Looked() }

// expiresAt returns when the record with this digest expires, if there is one.
func (x *Index[R]) expiresAt(digest string) (time.Time, bool) {
	record := x.Get(digest)
	if record == nil {
		return time.Time{}, false
	}
	return x.fields(record).ExpiresAt, true
}
