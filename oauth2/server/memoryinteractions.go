package server

import (
	"context"
	"time"
)

// AddInteraction implements [Store].
func (s *MemoryStore) AddInteraction(ctx context.Context, interaction *Interaction) error {
	unlock, err := s.change(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.interactions[interaction.Digest] != nil {
		return errExists
	}
	s.interactions[interaction.Digest] = interaction
	s.expiring.interactions.Add(interaction.Digest)
	return nil
}

// Interaction implements [Store].
func (s *MemoryStore) Interaction(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.waitingPage(digest, now), nil
}

// waitingPage returns an interaction that has not expired, or nil.
func (s *MemoryStore) waitingPage(digest string, now time.Time) *Interaction {
	if i := s.interactions[digest]; i != nil && now.Before(i.ExpiresAt) {
		return i
	}
	return nil
}

// ConsumeInteraction implements [Store].
func (s *MemoryStore) ConsumeInteraction(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	i := s.waitingPage(digest, now)
	if i != nil {
		delete(s.interactions, digest)
	}
	return i, nil
}
