// Package backend is the kit for backends of your own that issue credentials:
// the rules that knox, session and jwt follow, so that yours follow them too.
//
// A backend that only checks credentials needs package auth alone: see
// [auth.Authenticator]. Choose this package if yours has a login, too.
//
//   - What a new credential may be: [TermsOf] and [Terms.Narrow]. A credential
//     that is not primary makes no other one, scopes never grow, and what a
//     token makes ends when the token does.
//   - When it ends early: [Stamp] and [MatchesStamp], so that a changed password
//     ends what was issued before.
//   - What it looks like: [TokenFormat] makes opaque tokens that secret scanners
//     recognize, and reads them without asking a store about garbage.
//   - Its owner and device: [NewID] for its public identifier, [ClientOf] and
//     [CleanText] for the device it was issued to. [CheckUserID] and [ValidID] keep
//     from the store what no store can keep.
//   - How it is served: [NewEndpoint] checks method and origin before anything
//     is authenticated, [ReadBody] and [Fields] read what a login sends, and
//     [Routes] registers handlers with ServeMux and routers like it, and opens
//     them under [auth.Guard.Protect].
//   - How it is set up: [Settings] collects mistakes, [Cookie] writes cookies
//     that other sites cannot plant, [Events] tells the observer.
//
// A handler asks guard.Login for the backends by which somebody may log in:
//
//	login, err := guard.Login()
//	h := backend.NewEndpoint(login, login.Require(), backend.Methods{"POST": issue})
package backend
