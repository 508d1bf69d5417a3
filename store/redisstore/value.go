package redisstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A value is JSON with short names. Its first member is the version of its form, which is 1. A program refuses values
// of a version that it does not know, because it would drop what they have.

const firstMember = `{"v":1,`

// encode returns a value as text. It is of our own types, which can always be encoded.
func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("redisstore: %T cannot be encoded: %v", value, err))
	}
	return string(text)
}

// decode reads the text of a key into value. A member that value does not have is an error, since a later version of
// this package may have written it.
func decode(key, text string, value any) error {
	if !strings.HasPrefix(text, firstMember) {
		return fmt.Errorf("%w: key %q: it does not begin with %s", ErrUnreadable, key, firstMember)
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(value)
	if err == nil {
		if _, end := decoder.Token(); end != io.EOF {
			err = errors.New("there is text after its end")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrUnreadable, key, err)
	}
	return nil
}

// micros is an instant in microseconds since 1970, or 0 for the zero time, which stands for never or not yet.
type micros int64

func microsOf(at time.Time) micros {
	switch {
	case at.IsZero():
		return 0
	case at.Before(firstInstant):
		return micros(firstInstant.UnixMicro())
	case at.After(lastInstant):
		return micros(lastInstant.UnixMicro())
	case at.UnixMicro() == 0: // 0 is never
		return 1
	}
	return micros(at.UnixMicro())
}

// Instants before and after these become them. Redis keeps integers exactly up to 2^53, which is the year 2255.
var (
	firstInstant = time.UnixMicro(-1 << 53)
	lastInstant  = time.UnixMicro(1 << 53)
)

// time returns the instant in UTC.
func (m micros) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// slack is how much longer than a record Redis keeps its key. So clocks of instances may differ, and a purge finds what
// expired and reports it.
const slack = 24 * time.Hour

// maxTTL keeps times to live within what Redis takes.
const maxTTL = 100 * 365 * 24 * time.Hour

// ttlUntil returns how long the key of a record lives that expires at an instant. 0 is for ever, which is that of a
// record that never expires.
func ttlUntil(expires, now time.Time) time.Duration {
	if expires.IsZero() {
		return 0
	}
	return min(max(expires.Sub(now), 0), maxTTL) + slack
}
