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
// Each further run adds what is new and replaces what has changed. The last run must be made while the service is
// stopped, with Options.Final. It also removes what has ended since. Only then may the service start at the new engine.
//
// Keep the [State] that Options.Save is given and the [Journal], and pass both to the next call. A program that was
// killed then goes on where it was. The journal has each record before it is written, so each further run sees what a
// service has added, changed or ended in the target since. That is an [ErrConflict], and the run writes nothing.
//
// A run holds what the journal says of all records in memory. An estimate is 300 bytes for a token, and more for a
// login or a grant with many tokens.
//
// Three things cannot be seen, and then a record that ended in the target is added again:
//
//   - A target that does not write as a whole (see Target.Whole, which is false for Redis) may have only a part of the
//     page that was being written when the program was killed. What is missing of this page is added.
//   - A target that writes as a whole had not one record of that page before, the program was killed between the write
//     and its mark in the journal, and all records of the page ended before the next run.
//   - A sliding session or token was revoked in the target, and the source kept extending it. If the next run comes
//     more than 23 hours after the expiry that the copy wrote, the target may have forgotten it by itself.
package transfer
