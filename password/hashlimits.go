package password

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/gatewarden/auth/backend"
)

// HashLimits bounds what hashing costs, so that one row of a table of users cannot end
// the process or keep everybody else from logging in. A zero field has its default, which
// is raised to what Hash itself needs.
//
// A stored string that asks for more never matches, as if its format were unknown. The
// cause of the refusal and a warning, once for each user, name the setting.
type HashLimits struct {
	// MaxMemory is the most memory that one stored string may ask for, in KiB. 0 is 131072
	// (128 MiB). Django's argon2 asks for 100 MiB, its scrypt for 16 MiB. At most 1 GiB.
	MaxMemory uint32
	// MaxTime is the longest time that one stored string may take. 0 is 2 seconds. At most
	// one minute.
	//
	// The time is estimated from the parameters of the string: for each second 1 GiB times
	// passes of argon2 whatever its lanes, 320 MiB times p of scrypt, 2.5 million
	// iterations of PBKDF2, and 16,000 rounds of bcrypt. A core of a present server takes
	// about as long. So the default reads argon2 of 128 MiB and 16 passes, PBKDF2 of 5
	// million iterations, and bcrypt of cost 14, which is 16,384 rounds.
	MaxTime time.Duration
	// TotalMemory is the memory of all hashes that run at once, in KiB. A hash that finds
	// too little waits, as it does for Concurrent. 0 is 524288 (512 MiB), or Concurrent
	// times the memory of Hash if that is more. It must be at least MaxMemory.
	//
	// The memory of a finished hash is freed by the garbage collector, so the process may
	// hold about twice as much for a moment. See GOMEMLIMIT of package runtime.
	TotalMemory uint32
}

const (
	defaultMaxMemory   = 128 << 10 // KiB
	defaultMaxTime     = 2 * time.Second
	defaultTotalMemory = 512 << 10 // KiB
	largestMemory      = 1 << 20   // KiB: 1 GiB
	longestTime        = time.Minute

	// bufferMemory is what scrypt may use besides its table, in KiB. OWASP's parameters
	// have a table of just 128 MiB, so the limit is on the table.
	bufferMemory = 1 << 10
)

// cost is what a hash takes.
type cost struct {
	memory uint64 // KiB
	time   time.Duration
}

// What a core does in a second.
const (
	argon2Rate = 1 << 20   // KiB times passes
	scryptRate = 320 << 10 // KiB times p
	pbkdf2Rate = 2_500_000 // iterations
	bcryptRate = 16_000    // rounds, of which there are 2 to the power of the cost
)

// estimate returns how long work takes, at most a day.
func estimate(work, perSecond uint64) time.Duration {
	if work/perSecond >= 24*60*60 {
		return 24 * time.Hour
	}
	return time.Duration(float64(work) / float64(perSecond) * float64(time.Second))
}

// complete fills in the defaults for hashes of our own, of which concurrent run at once,
// and adds what is wrong to s.
func (l *HashLimits) complete(s *backend.Settings, own cost, concurrent int) {
	if l.MaxTime < 0 || l.MaxTime > longestTime || l.MaxMemory > largestMemory {
		s.Refuse(true, "HasherConfig.Limits: MaxMemory is at most 1 GiB, and MaxTime from 0 to 1 minute")
		return
	}
	s.Refuse(l.MaxMemory != 0 && uint64(l.MaxMemory) < own.memory || l.MaxTime != 0 && l.MaxTime < own.time,
		"HasherConfig.Limits allows less than Hash needs, which is %d KiB and about %v", own.memory, own.time)
	l.MaxMemory = cmp.Or(l.MaxMemory, max(defaultMaxMemory, uint32(own.memory)))
	l.MaxTime = cmp.Or(l.MaxTime, max(defaultMaxTime, own.time))
	s.Refuse(l.TotalMemory != 0 && l.TotalMemory < l.MaxMemory,
		"HasherConfig.Limits.TotalMemory is %d KiB, less than MaxMemory, %d KiB", l.TotalMemory, l.MaxMemory)
	if l.TotalMemory == 0 {
		all := min(uint64(concurrent)*own.memory, math.MaxUint32)
		l.TotalMemory = max(defaultTotalMemory, l.MaxMemory, uint32(all))
	}
}

// check returns a costlyError if c is more than l allows.
func (l *HashLimits) check(c cost) error {
	switch {
	case c.memory > uint64(l.MaxMemory)+bufferMemory:
		return &costlyError{"MaxMemory", c, *l}
	case c.time > l.MaxTime:
		return &costlyError{"MaxTime", c, *l}
	}
	return nil
}

// costlyError is that a stored string asks for more than the Hasher allows.
type costlyError struct {
	setting string // the field of HashLimits
	asked   cost
	limits  HashLimits
}

func (e *costlyError) Error() string {
	if e.setting == "MaxMemory" {
		return fmt.Sprintf("the stored string is too costly: it asks for %d KiB of memory, "+
			"and HasherConfig.Limits.MaxMemory is %d KiB", e.asked.memory, e.limits.MaxMemory)
	}
	return fmt.Sprintf("the stored string is too costly: it takes about %v, and HasherConfig.Limits.MaxTime is %v",
		e.asked.time.Round(time.Millisecond), e.limits.MaxTime)
}
