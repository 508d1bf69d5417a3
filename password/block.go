package password

import (
	"fmt"
	"time"

	"github.com/gatewarden/auth"
)

// block is why a try was not let in. As an error it is the cause for the log, and its text
// is built when it is read. It holds no name and no address.
type block struct {
	kind     counterKind
	failures int
	until    time.Time
	mail     bool
}

func (b *block) Error() string {
	what, setting := "failed logins", "Limits"
	if b.mail {
		what, setting = "requests for a mail", "MailThrottleConfig.Limits"
	}
	text := fmt.Sprintf("password: the counter of the %s has %d %s and lets no other in until %s; see %s.%s",
		counterKinds[b.kind].name, b.failures, what, b.until.UTC().Format(time.RFC3339), setting,
		counterKinds[b.kind].setting)
	if b.kind == byNoAddress {
		text += ", and give the clients of a Unix socket their address: the documentation of Config.Limits says how"
	}
	return text
}

// refusal is what the client is told of a block.
func (b *block) refusal(now time.Time) error {
	return &auth.Error{Kind: auth.ErrThrottled, RetryAfter: b.until.Sub(now), Cause: b}
}

// hidden is the refusal of a try if its name is not blocked, but the user that it finds is.
// The client is told what it is told of an unknown name, or it would learn that the names
// are those of one user.
func (b *block) hidden(userID string) error { return failed(&userError{userID, b}) }

// longWait is the cause of a login that waited for others for too long.
type longWait struct{ kind counterKind }

func (w *longWait) Error() string {
	return fmt.Sprintf("password: waited for Limits.MaxWait, because other logins of the %s are under way: "+
		"no more run at once than failures are left before a delay; see Limits.%s", counterKinds[w.kind].name,
		counterKinds[w.kind].setting)
}

func (w *longWait) Unwrap() error { return ErrBusy }

// waited are the errors of logins that waited for too long, by the counter they waited for.
var waited = func() (all [len(counterKinds)]error) {
	for i := range all {
		all[i] = &auth.Error{RetryAfter: time.Second, Cause: &longWait{counterKind(i)}}
	}
	return all
}()
