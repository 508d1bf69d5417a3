package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// This file changes rows by their keys. A transaction first reads the keys of the rows that a condition fits, with
// {lock}, and then names the rows by these keys. At READ COMMITTED a second statement with the same condition could
// find other rows.

// keyParts are how many keys a statement may name. There are few, so that few different statements are prepared.
var keyParts = []int{1, 16, 256}

// execForKeys runs a statement, in a transaction, for all rows with these keys, and returns how many rows it changed.
// In the statement {keys} is the list of the keys, which comes after args.
func (db *DB) execForKeys(ctx context.Context, conn *sql.Conn, statement string, keys []string,
	args ...any) (int, error) {
	total := 0
	for len(keys) > 0 {
		part, all := keys[:min(len(keys), keyParts[len(keyParts)-1])], append([]any{}, args...)
		keys = keys[len(part):]
		size := 0
		for _, size = range keyParts {
			if size >= len(part) {
				break
			}
		}
		for i := range size { // the last key fills what is left
			all = append(all, part[min(i, len(part)-1)])
		}
		list := "(" + strings.TrimSuffix(strings.Repeat("?, ", size), ", ") + ")"
		n, err := count(conn.ExecContext(ctx, db.sql(strings.ReplaceAll(statement, "{keys}", list)), all...))
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// purge deletes the first rows of a table that have expired, and returns how many that were. It leaves out rows that
// others are changing.
func (db *DB) purge(ctx context.Context, table, key, expiry string, before any, limit int) (int, error) {
	return transactValue(ctx, db, func(ctx context.Context, conn *sql.Conn) (int, error) {
		return db.purgeIn(ctx, conn, table, key, expiry, before, limit)
	})
}

// purgeIn is purge, in a transaction.
func (db *DB) purgeIn(ctx context.Context, conn *sql.Conn, table, key, expiry string, before any,
	limit int) (int, error) {
	keys, err := queryStrings(ctx, conn, db.sql(`SELECT `+key+` FROM {prefix}`+table+`
		WHERE `+expiry+` <= ? ORDER BY `+expiry+` LIMIT ? {skip}`), before, limit)
	if err != nil {
		return 0, err
	}
	return db.execForKeys(ctx, conn, `DELETE FROM {prefix}`+table+` WHERE `+key+` IN {keys}`, keys)
}
