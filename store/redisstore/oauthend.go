package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// walkers is how many tags of a client's grants are visited at once.
const walkers = 16

// endGeneration writes the end of the grants that a client had into their rows. They have ended before: see
// clientState.revoke. With the end in its row, a grant is purged sooner, and the instant is kept. It returns the grants
// that were live, in order of ID.
//
// Grants of an earlier generation are left as they are. So are those of a later one, which are good.
//
// It visits all grants, however many there are. So it is not bounded by Config.Timeout, but by walkTimeout.
func (s *oauthStore) endGeneration(ctx context.Context, clientID string, before clientRow,
	now time.Time) ([]server.EndedGrant, error) {
	// The grants have ended already, and could not be listed later. So the walk goes on when the request has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), walkTimeout)
	defer cancel()
	index := s.db.key(oauthClientHas, tagOfOwner(clientID), clientID)
	members, err := s.clientGrants(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotListed, err)
	}
	var all []server.EndedGrant
	for some := range slices.Chunk(members, walkSize) {
		ended, err := s.endMembers(ctx, clientID, some, before, now)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotListed, err)
		}
		all = append(all, ended...)
	}
	slices.SortFunc(all, func(a, b server.EndedGrant) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// walkTimeout is how long the walk over the grants of a client takes at most.
const walkTimeout = time.Minute

// walkSize is how many grants of a client are read at once.
const walkSize = 1000

func (s *oauthStore) clientGrants(ctx context.Context, index string) ([]string, error) {
	ctx, cancel := s.db.limit(ctx)
	defer cancel()
	return s.db.all(ctx, index)
}

// endMembers is endGeneration for some members of the index, in any order.
func (s *oauthStore) endMembers(ctx context.Context, clientID string, members []string, before clientRow,
	now time.Time) ([]server.EndedGrant, error) {
	byTag := make(map[tag][]server.EndedGrant)
	for _, member := range members {
		id, userID, _ := strings.Cut(member, separator)
		t := grantTag(userID, clientID)
		byTag[t] = append(byTag[t], server.EndedGrant{ID: id, UserID: userID})
	}
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		all   []server.EndedGrant
		errs  []error
		turns = make(chan struct{}, walkers)
	)
	for t, those := range byTag {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			ended, err := s.endThose(ctx, t, those, before, now)
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, ended...), append(errs, err)
		})
	}
	wait.Wait()
	return all, errors.Join(errs...)
}

// endThose is endGeneration for grants with one tag.
func (s *oauthStore) endThose(ctx context.Context, t tag, those []server.EndedGrant, before clientRow,
	now time.Time) (ended []server.EndedGrant, err error) {
	keys := make([]string, len(those))
	for i, one := range those {
		keys[i] = s.db.key(oauthGrants, t, one.ID)
	}
	err = s.transactEnd(ctx, those[0].UserID, func(ctx context.Context, c *change) error {
		ended = nil
		if err := c.read(ctx, keys...); err != nil {
			return err
		}
		for _, one := range those {
			row, err := s.loadGrant(ctx, c, t, one.ID)
			if err != nil {
				return err
			}
			if row != nil && row.ClientID == before.Client.ID && row.Generation == before.Generation && row.live(now) {
				ended = append(ended, one)
				s.endGrant(c, t, one.ID, row, now)
			}
		}
		return nil
	})
	return ended, err
}
