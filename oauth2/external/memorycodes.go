package external

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// PutOnce implements [Store].
func (m *MemoryStore) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if until, ok := m.keys[key]; ok && now.Before(until) {
		return false, nil
	}
	m.keys[key] = expires
	m.keyQueue.Add(key)
	return true, nil
}

// AddCode implements [Store].
func (m *MemoryStore) AddCode(ctx context.Context, code *Code) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes[code.Digest] != nil {
		return errors.New("oauth2/external: there is a code of that digest")
	}
	own := copied(code)
	own.Data = bytes.Clone(code.Data)
	m.codes[code.Digest] = own
	m.codeQueue.Add(code.Digest)
	return nil
}

// TakeCode implements [Store].
func (m *MemoryStore) TakeCode(ctx context.Context, digest string, now time.Time) (*Code, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	code := m.codes[digest]
	if code == nil || !now.Before(code.ExpiresAt) {
		return nil, nil
	}
	delete(m.codes, digest)
	return code, nil
}
