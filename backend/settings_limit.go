package backend

// NoLimit, as the Limit of a configuration, lets a user have any number. Each request for
// a new one then makes the store larger, until what was issued expires.
const NoLimit = -1

// defaultLimit is how much of a kind a user has at most, unless a setting says otherwise.
const defaultLimit = 1_000

// Limit returns what a Limit and an EvictOldest of a configuration mean to a store, where
// a limit of 0 is no limit. A limit of 0 in the configuration is 1,000, and the oldest makes
// room. So a loop that logs in again and again fills no store, and locks no user out. A
// limit that is set refuses, unless evict is set, too. [NoLimit] removes the limit.
func (s *Settings) Limit(name string, limit int, evict bool) (most int, evictOldest bool) {
	switch {
	case limit == 0:
		return defaultLimit, true
	case limit == NoLimit:
		s.Refuse(evict, "%s: there is nothing to evict for without a limit", name)
		return 0, false
	}
	s.Refuse(limit < NoLimit, "%s is negative, and not NoLimit", name)
	return limit, evict
}
