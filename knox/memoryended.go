package knox

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// endedTokens is what a [MemoryStore] keeps of tokens that ended.
type endedTokens struct {
	byUser map[string][]*EndedToken // of each user by EndedAt, the first to end first
	queue  *expiry.Queue[*EndedToken]
}

func newEndedTokens() endedTokens {
	endedAt := func(token *EndedToken) (time.Time, bool) { return token.EndedAt, true }
	return endedTokens{make(map[string][]*EndedToken), expiry.New(endedAt, nil)}
}

func (e *endedTokens) add(token *EndedToken) {
	all := e.byUser[token.UserID]
	// One that expired may come after others that ended later.
	i := sort.Search(len(all), func(i int) bool { return all[i].EndedAt.After(token.EndedAt) })
	e.byUser[token.UserID] = slices.Insert(all, i, token)
	e.queue.Add(token)
}

// forget removes a token, which is the first to end of its user or one that ended then, too.
func (e *endedTokens) forget(token *EndedToken) {
	all := e.byUser[token.UserID]
	i := slices.Index(all, token)
	copy(all[1:i+1], all[:i])
	all[0] = nil
	if all = all[1:]; len(all) == 0 {
		delete(e.byUser, token.UserID)
		return
	}
	e.byUser[token.UserID] = all
}

// Ended implements [Store].
func (s *MemoryStore) Ended(_ context.Context, userID string, since time.Time, limit int) ([]*EndedToken, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ended []*EndedToken
	for _, token := range slices.Backward(s.ended.byUser[userID]) {
		if !token.EndedAt.After(since) {
			break
		}
		ended = append(ended, token)
	}
	slices.SortFunc(ended, func(a, b *EndedToken) int {
		return cmp.Or(b.EndedAt.Compare(a.EndedAt), cmp.Compare(b.ID, a.ID))
	})
	return ended[:min(limit, len(ended))], nil
}

// PurgeEnded implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	return expiry.PurgeAll(ctx, limit, expiry.Step(&s.mu, s.ended.queue, before, s.ended.forget))
}
