package server

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// AddInteraction implements [Store].
func (s *MemoryStore) AddInteraction(ctx context.Context, interaction *Interaction, limit int) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.interactions[interaction.Digest] != nil {
		return errExists
	}
	user := interaction.UserID
	if limit > 0 && user != "" {
		for len(s.pagesOf[user]) >= limit {
			s.removePage(s.pagesOf[user][0].Digest)
		}
	}
	s.interactions[interaction.Digest] = interaction
	s.expiring.interactions.Add(interaction.Digest)
	if user != "" {
		i, _ := slices.BinarySearchFunc(s.pagesOf[user], interaction.ID, byInteractionID)
		s.pagesOf[user] = slices.Insert(s.pagesOf[user], i, interaction)
	}
	return nil
}

func byInteractionID(i *Interaction, id string) int { return cmp.Compare(i.ID, id) }

// removePage forgets an interaction, if it is there.
func (s *MemoryStore) removePage(digest string) {
	i := s.interactions[digest]
	if i == nil {
		return
	}
	delete(s.interactions, digest)
	of := slices.DeleteFunc(s.pagesOf[i.UserID], func(other *Interaction) bool { return other == i })
	if s.pagesOf[i.UserID] = of; len(of) == 0 {
		delete(s.pagesOf, i.UserID)
	}
}

// Interaction implements [Store].
func (s *MemoryStore) Interaction(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.openInteraction(digest, now), nil
}

// openInteraction returns an interaction that has not expired, or nil.
func (s *MemoryStore) openInteraction(digest string, now time.Time) *Interaction {
	if i := s.interactions[digest]; i != nil && now.Before(i.ExpiresAt) {
		return i
	}
	return nil
}

// ConsumeInteraction implements [Store].
func (s *MemoryStore) ConsumeInteraction(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	i := s.openInteraction(digest, now)
	if i != nil {
		s.removePage(digest)
	}
	return i, nil
}

// answered reports whether what an approval answers was answered before.
func (s *MemoryStore) answered(a Approval) bool {
	if a.Interaction != "" && s.openInteraction(a.Interaction, a.Grant.Created) == nil {
		return true
	}
	return a.Request != "" && s.hasKey(a.Request, a.Grant.Created)
}

// markUsed uses up what an approval answers.
func (s *MemoryStore) markUsed(a Approval) {
	s.removePage(a.Interaction)
	if a.Request != "" {
		s.putKey(a.Request, a.RequestExpires)
	}
}
