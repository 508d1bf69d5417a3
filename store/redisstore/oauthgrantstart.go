package redisstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file adds grants and finds them.

var (
	errGrantExists  = errors.New("redisstore: there is a grant with this identifier")
	errForeignToken = errors.New("redisstore: a code or a token that is not of this grant")
)

// addition is a grant that is being added, as the last try of its change saw it.
type addition struct {
	grant   *server.Grant
	there   bool // whether there is a grant with this ID
	decided bool // whether the try came to a verdict, so that it may have been written
}

// addGrant runs decide in a change, which adds a grant. Before, the grant is listed where other tags lead to it.
// unchanged reports that an error left everything as it was. After any other error the change may have been written.
func (s *oauthStore) addGrant(ctx context.Context, g *server.Grant,
	decide func(ctx context.Context, c *change, t tag) (server.Added, error),
) (added server.Added, unchanged bool, err error) {
	t := grantTag(g.UserID, g.ClientID)
	if err := s.listElsewhere(ctx, t, g); err != nil {
		return server.Added{}, true, err
	}
	of := addition{grant: g}
	err = s.db.transact(ctx, cmp.Or(g.UserID, g.ClientID), func(ctx context.Context, c *change) (err error) {
		of.decided = false
		_, version := s.grantLists(t, g.UserID, g.ClientID)
		if err := c.read(ctx, s.grantKey(t, g.ID), version); err != nil {
			return err
		}
		of.there = c.exists(s.grantKey(t, g.ID))
		added, err = decide(ctx, c, t)
		of.decided = err == nil
		return err
	})
	if err != nil {
		added, unchanged = server.Added{}, !of.decided || refused(err)
	}
	if !of.there && (unchanged || err == nil && !added.OK()) {
		// A member that stays names no grant, and does no harm.
		_ = s.unlistOfClient(context.WithoutCancel(ctx), g.ClientID, clientMember(g.ID, g.UserID))
	}
	return added, unchanged, err
}

// refused reports an error of a change that was certainly not written: Redis answered with an error, or other changes
// came between again and again.
func refused(err error) bool {
	var reply *rueidis.RedisError
	return errors.Is(err, ErrBusy) || errors.As(err, &reply)
}

// listElsewhere lists a grant in the indexes that have other tags: that of its client and that of its session.
func (s *oauthStore) listElsewhere(ctx context.Context, t tag, g *server.Grant) error {
	if err := s.listOfClient(ctx, g); err != nil {
		return err
	}
	own := tagOfID(g.SessionID)
	if g.SessionID == "" || own == t {
		return nil
	}
	return s.db.transact(ctx, g.SessionID, func(_ context.Context, c *change) error {
		s.noteSessionTag(c, t, g, g.Created)
		return nil
	})
}

// noteSessionTag notes that the session of a grant has a grant with this tag.
func (s *oauthStore) noteSessionTag(c *change, t tag, g *server.Grant, now time.Time) {
	row := grantRowOf(g, "")
	c.addMember(s.db.key(oauthSessionTags, tagOfID(g.SessionID), g.SessionID), string(t), row.lastTTL(now))
}

// lastTTL returns how long what a grant needs must live: until no token of it can be good.
func (r *grantRow) lastTTL(now time.Time) time.Duration {
	return ttlUntil(max(r.Expires, r.MaxExpiry).time(), now)
}

// Start implements [server.Store].
func (s *oauthStore) Start(ctx context.Context, g *server.Grant, tokens server.Tokens, limit int,
	evict bool) (server.Added, error) {
	added, _, err := s.addGrant(ctx, g, func(ctx context.Context, c *change, t tag) (server.Added, error) {
		client, err := s.clientState(ctx, g.ClientID)
		switch {
		case err != nil:
			return server.Added{}, err
		case !client.enabled():
			return server.Added{Refused: true}, nil
		}
		if err := s.placeGrant(ctx, c, t, g); err != nil {
			return server.Added{}, err
		}
		added, err := s.makeRoom(ctx, c, t, g, room{limit: limit, evict: evict})
		if err != nil || added.OverLimit {
			return added, err
		}
		row := grantRowOf(g, client.row.Generation)
		s.putGrant(c, t, g.ID, &row, g.Created)
		index, _ := s.grantLists(t, g.UserID, g.ClientID)
		if err := s.db.sweep(ctx, c, index, func(member string) string {
			return s.grantKey(t, digestIn(member))
		}); err != nil {
			return added, err
		}
		return added, s.addTokens(ctx, c, t, loadedGrant{g.ID, &row}, tokens, g.Created)
	})
	return added, err
}

// Approve implements [server.Store].
//
// An interaction must be of the user of the grant. One of another user is as one that is not there.
//
// The request that it answers has another tag. So it is noted first, and made fresh again if the approval comes to
// nothing. Another answer that comes meanwhile is told that the request was answered. If the program crashes between,
// or a lost connection leaves open whether the approval was written, the request stays noted. The user starts again.
func (s *oauthStore) Approve(ctx context.Context, a server.Approval) (server.Added, error) {
	fresh, err := s.claimRequest(ctx, a)
	switch {
	case err != nil:
		return server.Added{}, err
	case !fresh:
		return server.Added{Answered: true}, nil
	}
	added, unchanged, err := s.addGrant(ctx, a.Grant, func(ctx context.Context, c *change, t tag) (
		server.Added, error) {
		return s.approve(ctx, c, t, a)
	})
	if unchanged || added.Answered {
		err = errors.Join(err, s.releaseRequest(context.WithoutCancel(ctx), a))
	}
	if err != nil {
		return server.Added{}, err
	}
	return added, nil
}

// approve notes all of Approve in one change, but the request.
func (s *oauthStore) approve(ctx context.Context, c *change, t tag, a server.Approval) (server.Added, error) {
	g := a.Grant
	waits, err := s.answerPage(ctx, c, t, a)
	if err != nil || !waits {
		return server.Added{Answered: err == nil}, err
	}
	client, err := s.clientState(ctx, g.ClientID)
	if err != nil {
		return server.Added{}, err
	}
	before, err := s.loadConsent(ctx, c, client, g.UserID, g.ClientID)
	if err != nil {
		return server.Added{}, err
	}
	if !client.enabled() || a.RequireConsent && !before.Covers(g.Permissions) {
		return server.Added{Refused: true}, nil
	}
	if err := s.placeGrant(ctx, c, t, g); err != nil {
		return server.Added{}, err
	}
	row := grantRowOf(g, client.row.Generation)
	row.Code, row.Waiting = a.Code.Digest, a.Code.Redeemed.IsZero()
	if err := s.checkCode(ctx, c, t, g, a.Code); err != nil {
		return server.Added{}, err
	}
	added, err := s.makeRoom(ctx, c, t, g, room{limit: a.Limit, evict: a.EvictOldest, waiting: true})
	if err != nil || added.OverLimit {
		return added, err
	}
	c.set(s.db.key(oauthCodes, t, a.Code.Digest), codeRowOf(a.Code), row.lastTTL(g.Created))
	s.putGrant(c, t, g.ID, &row, g.Created)
	if a.Remember != nil {
		s.saveConsent(c, client, before.Add(a.Remember))
	}
	return added, nil
}

// checkCode returns an error for a code that cannot be added.
func (s *oauthStore) checkCode(ctx context.Context, c *change, t tag, g *server.Grant, code *server.Code) error {
	if code.GrantID != g.ID {
		return errForeignToken
	}
	row := grantRowOf(g, "")
	return s.checkNew(ctx, c, t, oauthCodes, oauthCodePlaces, code.Digest, row.lastTTL(g.Created))
}

// answerPage notes the removal of the page that is answered, and reports whether it waits for its answer.
func (s *oauthStore) answerPage(ctx context.Context, c *change, t tag, a server.Approval) (bool, error) {
	if a.Interaction == "" {
		return true, nil
	}
	page, err := s.loadPage(ctx, c, t, a.Interaction)
	if err != nil || page == nil || page.UserID != a.Grant.UserID || microsOf(a.Grant.Created) >= page.Expires {
		return false, err
	}
	s.removePage(c, t, a.Interaction, page)
	return true, nil
}
