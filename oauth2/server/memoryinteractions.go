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
	if i := s.interactions[digest]; i != nil && now.Before(i.ExpiresAt) {
		return i, nil
	}
	return nil, nil
}

// ConsumeInteraction implements [Store].
func (s *MemoryStore) ConsumeInteraction(ctx context.Context, digest string, now time.Time) (*Interaction, error) {
	unlock, err := s.change(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	i := s.interactions[digest]
	if i == nil || !now.Before(i.ExpiresAt) {
		return nil, nil
	}
	delete(s.interactions, digest)
	return i, nil
}
