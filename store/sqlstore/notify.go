package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// This file tells other instances that something was revoked, by NOTIFY of PostgreSQL. Package pgnotify listens.
//
// PostgreSQL sends a notification when the transaction commits, so it is sent if and only if the revocation is
// done. Commits of transactions with one have their turn one after another in the whole server. So checks,
// logins, refreshes and last uses send none, unless they end something.

const (
	// maxPayload is how long a notification may be in PostgreSQL, in bytes.
	maxPayload = 7999
	// maxTold is how many users one transaction names. If there are more, it names all.
	maxTold = 16
)

// notification is the payload. It names a user or, by "client:" and its ID, a client of OAuth.
type notification struct {
	User string `json:"user,omitempty"`
	All  bool   `json:"all,omitempty"`
}

// checkedChannel returns an error if a channel cannot be used with an engine.
func checkedChannel(engine, channel string) error {
	switch {
	case channel == "":
		return nil
	case engine != postgresql{}.name():
		return errors.New("Config.NotifyChannel is set, and only PostgreSQL has notifications")
	case len(channel) > 63 || strings.Trim(channel, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return fmt.Errorf("Config.NotifyChannel is %q; it may have up to 63 characters of a-z, 0-9 and _", channel)
	}
	return nil
}

// notify tells other instances, in the transaction that revokes something, for which users it did.
func (db *DB) notify(ctx context.Context, conn *sql.Conn, userIDs ...string) error {
	if db.channel == "" {
		return nil
	}
	payloads := make(map[string]bool, len(userIDs))
	for _, userID := range userIDs {
		payloads[payloadOf(userID)] = true
	}
	if len(payloads) > maxTold {
		payloads = map[string]bool{everyone: true}
	}
	for payload := range payloads {
		if _, err := conn.ExecContext(ctx, db.sql(`SELECT pg_notify(?, ?)`), db.channel, payload); err != nil {
			return err
		}
	}
	return nil
}

const everyone = `{"all":true}`

// payloadOf returns what names a user, or everybody if no payload can.
func payloadOf(userID string) string {
	text, err := json.Marshal(notification{User: userID})
	if err != nil || len(text) > maxPayload || userID == "" || !utf8.ValidString(userID) {
		return everyone
	}
	return string(text)
}

// notifyEnded is notify for a user of whom something has ended. It sends nothing if ended is empty.
func (db *DB) notifyEnded(ctx context.Context, conn *sql.Conn, userID string, ended []string) error {
	if len(ended) == 0 {
		return nil
	}
	return db.notify(ctx, conn, userID)
}

// UserChanged tells other instances that the application has changed or disabled a user, so that they load the user
// again. Call it after the change. Without Config.NotifyChannel it does nothing.
//
// Call the Forget method of this process's own [github.com/gatewarden/auth.CachedUsers] as well. It hears of the change
// a moment later than Forget returns, and only if this process listens.
func (db *DB) UserChanged(ctx context.Context, userID string) error {
	if db.channel == "" {
		return nil
	}
	return db.update(ctx, func(ctx context.Context, conn *sql.Conn) error { return db.notify(ctx, conn, userID) })
}

// UserChangedIn is [DB.UserChanged] in a transaction of [DB.Update]. Other instances hear of it if and when that
// commits. Call Forget after the commit: a load that begins before it may keep the user as the user was.
func (db *DB) UserChangedIn(ctx context.Context, conn *sql.Conn, userID string) error {
	return db.notify(ctx, conn, userID)
}

// endOne runs one statement that ends something of a user, and tells of it if it does.
func (db *DB) endOne(ctx context.Context, statement, userID string, args ...any) (bool, error) {
	if db.channel == "" {
		return changed(db.exec(ctx, statement, args...))
	}
	return transactValue(ctx, db, func(ctx context.Context, conn *sql.Conn) (bool, error) {
		ended, err := changed(conn.ExecContext(ctx, statement, args...))
		if err != nil || !ended {
			return false, err
		}
		return true, db.notify(ctx, conn, userID)
	})
}
