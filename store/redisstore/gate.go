package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// A change that reads much is slower than one that reads little. If many small changes of the same records come, one of
// them may always come between. An attacker with a stolen token could renew it so often that its user cannot end it.
// So a change that was overtaken a few times closes the gate of its tag, which is a key. No other change of the tag is
// made while the key is there. The change that closed the gate opens it when it is made. If its program ends before,
// the key ends by itself.

const (
	// gates is the kind of these keys.
	gates kind = "pg"
	// triesBeforeGate is how often a change is overtaken before it closes the gate.
	triesBeforeGate = 3
	// gateTTL is how long a gate is closed at most. It is as long as a change may take by default.
	gateTTL = defaultTimeout
)

// gate is what a change may close.
type gate struct {
	db  *DB
	key string
	id  string // "" while this change has not closed it
}

// gateOf returns the key of the gate of the keys of a change.
func (c *change) gateOf() string {
	if len(c.names) == 0 {
		return ""
	}
	_, rest, _ := strings.Cut(c.names[0], ":{")
	t, _, _ := strings.Cut(rest, "}")
	return c.db.key(gates, tag(t), "")
}

// withGate returns the keys and arguments of the script with those of the gate before them. The gate must be open, or
// closed by this change, which opens it.
func (c *change) withGate(arguments []string) (names, all []string) {
	expected := []string{"-", "0"}
	if c.gate != "" {
		expected = []string{"=" + c.gate, "1", "del", "", ""}
	}
	return append([]string{c.gateOf()}, c.names...), append(expected, arguments...)
}

// close closes the gate of a change, unless another change has closed it.
func (g *gate) close(ctx context.Context, c *change) {
	if g.id != "" || len(c.names) == 0 {
		return
	}
	g.key = c.gateOf()
	g.id = rand.Text()
	command := g.db.client.B().Set().Key(g.key).Value(g.id).Nx().Px(gateTTL).Build()
	var answer *rueidis.RedisError
	if errors.As(g.db.client.Do(ctx, command).Error(), &answer) {
		// Another change has closed it, or it cannot be closed, as with a full memory. Without an answer this change
		// may have closed it, and so must open it.
		g.id = ""
	}
}

// open opens the gate if this change has closed it and was not made. It does so also if the request is gone. If the
// gate has ended by itself meanwhile, it is forgotten, and may belong to another change by now.
func (g *gate) open() {
	if g.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = commitScript.Exec(ctx, g.db.client, []string{g.key}, []string{"=" + g.id, "1", "del", "", ""}).AsBool()
	g.id = ""
}
