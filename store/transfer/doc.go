// Package transfer moves everything that the stores keep from one engine to another: from SQLite to PostgreSQL, from
// PostgreSQL to Redis, or back.
//
//	from, err := sqlstore.Transfer(ctx, sqlite)
//	to, err := sqlstore.Transfer(ctx, postgres)
//	report, err := transfer.Copy(ctx, from, to, transfer.Options{})
//
// Tokens, sessions, logins and grants work after the move as before it, because what identifies them is copied as it
// is. What was revoked stays revoked, and what was used once stays used. The signing keys are copied sealed, so the
// service needs the same application key at the new engine.
//
// # A copy while the service runs
//
// [Copy] reads page by page. A service that runs meanwhile issues, uses and revokes, so one run alone is not exact.
// Each further run adds what is new, replaces what has changed, and removes what has ended since. The last run must be
// made while the service is stopped, with Options.Final. Only then may the service start at the new engine.
//
// A program that was killed goes on where it was: keep the [State] that Options.Save is given, and pass it to the next
// call. What was copied already stays, and is compared.
package transfer
