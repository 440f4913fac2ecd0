// Package auth says who may do what: roles, permissions, users, passwords, sign-in
// and sessions. Attempts to sign in are limited (attempts.go).
package auth

import (
	"slices"
	"strings"
)

// Role is what a user is.
type Role string

const (
	Operator Role = "operator" // uploads files and runs jobs
	Admin    Role = "admin"    // everything, users and settings included
	Auditor  Role = "auditor"  // reads jobs and the log, signs the log off; changes no job and no setting
)

// Roles lists the roles in the order pages show them.
var Roles = []Role{Operator, Admin, Auditor}

// Permission is what a route asks for.
type Permission string

const (
	Public      Permission = "public"           // no session needed
	SignedIn    Permission = "signed_in"        // any role
	ReadJobs    Permission = "jobs.read"        // jobs, results, accounts and their tags
	RunJobs     Permission = "jobs.run"         // upload, start, pause, resume, cancel, decide, retry, undo
	Approve     Permission = "jobs.approve"     // let others' jobs run that need a second person
	ReadAudit   Permission = "audit.read"       // the log
	Review      Permission = "audit.review"     // sign off entries of the log, have it verified
	ManageUsers Permission = "users.manage"     // create users, set roles and passwords
	Govern      Permission = "sending.govern"   // pace, limits, order of jobs, the kill switch, retention of tags and log
	Protect     Permission = "protected.manage" // say which accounts no job may touch
)

var granted = map[Role][]Permission{
	Operator: {SignedIn, ReadJobs, RunJobs, Approve},
	Admin:    {SignedIn, ReadJobs, RunJobs, Approve, ReadAudit, Review, ManageUsers, Govern, Protect},
	Auditor:  {SignedIn, ReadJobs, ReadAudit, Review},
}

// May reports whether the role grants the permission.
func (r Role) May(p Permission) bool { return p == Public || slices.Contains(granted[r], p) }

// Valid reports whether r is a known role.
func (r Role) Valid() bool { return slices.Contains(Roles, r) }

// foldName is what names are compared by: two that differ in case alone are one.
func foldName(name string) string { return strings.ToLower(name) }

// ValidName reports whether a user may be called name: 1 to 64 ASCII letters,
// digits and . - _ @.
func ValidName(name string) bool {
	return len(name) >= 1 && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_@", r))
	})
}
