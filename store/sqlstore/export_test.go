package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// NewOther is NewSQLite for an engine that writes all that a dialect decides in another way. It calls
// lock for each owner that a transaction locks.
func NewOther(db *sql.DB, lock func(owner string)) (*DB, error) {
	opened := &DB{read: db, write: db, dialect: other{lock: lock}}
	return opened, opened.configure(Config{})
}

// other is a dialect that no engine has.
type other struct {
	sqlite
	lock func(owner string)
}

func (o other) lockOwner(_ context.Context, _ *DB, _ *sql.Conn, userID string) error {
	o.lock(userID)
	return nil
}

func (other) rowLock(shared bool) string {
	if shared {
		return "FOR SHARE"
	}
	return "FOR UPDATE"
}

func (other) quote(name string) string { return "`" + name + "`" }

func (other) placeholders(statement string) string {
	var numbered strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			numbered.WriteString("$" + strconv.Itoa(i))
		}
		numbered.WriteString(part)
	}
	return numbered.String()
}

func (other) insertNew(table, columns string) string { return "UPSERT " + insert(table, columns) }

func (other) first(_, _, condition, order string) string {
	return condition + " FIRST BY " + order + " AT MOST ?"
}
