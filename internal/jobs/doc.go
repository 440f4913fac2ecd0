// Package jobs says what a job is, reads its file and carries it out.
//
// A job is one upload and what is done with its accounts. The [Importer] reads
// its file in the background and plans it into batches of up to 100 accounts in
// file order. Sorting on disk finds what repeats, so that memory does not grow
// with the file; a reading that broke off begins anew.
//
// What a job does is its [Kind]: remove all tags, look at them, put them back,
// add or remove named ones. To the engine each is an operation on a batch
// (operation.go): the tags are read, from them it follows what is to be changed,
// and a call changes it. Only a job that keeps no tags removes them unread.
//
// The [Runner] makes the calls, in a lane for each command, since each has its own
// limit: reading runs ahead of changing. The service answers a batch as a whole,
// answers get lost, and only what was read can be undone; so the runner keeps to this:
//
//   - Claim. A batch is taken by one transaction, under a lease, and only when
//     there is a seat to write its answer down from. Pause, cancel, halt, gates
//     and the kill switch are conditions of this and of nothing else, so a call
//     leaves within half a second of its claim or is given back, and one that
//     waits for a connection within 0.9 s.
//   - Intent before act. Claiming writes down that the batch is being sent, and
//     the call in the ledger, committed before the request leaves.
//   - Pace. Claiming reserves a slot in the app's budget of calls for each
//     command. The budget is persisted, so restarts and other processes share it.
//     The window (window.go) keeps the limit by the service's clock as well.
//   - Plan. Reading says of each account whether it is to be changed and how
//     (planning.go). The tags of before are kept with that, and a change leaves
//     within a minute of the reading or the tags are read again. An account that
//     is as it should be needs no call.
//   - Decide. One function (decide.go) turns an answer into an outcome for every account.
//   - Settle. Outcomes, counts, the ledger and what the log must hold are written
//     in one transaction, guarded by the lease. While answers cannot be written
//     down no call leaves, and Runner.Trouble says why.
//   - Expire. A batch whose owner died while it was being changed is in doubt: at
//     start-up when no other process can own it, else when its lease ends.
//   - Read back. Accounts in doubt are never changed again blindly (readback.go).
//     Their tags are read once the lost call can no longer take effect. Named tags
//     do no harm when they are added or removed twice: what is missing is sent
//     again. Where all go, none means that they are cleared; some, that they wait
//     to be sent again; some that an earlier reading did not find, that a person
//     decides. So does one where reading is not allowed, and where ten calls in a
//     row were lost.
//   - Verify. After the last account a share of the batches is read once more
//     (verifying.go). Accounts that are not as they should be are in doubt until a
//     person decides.
//
// Ten calls in a row without a good answer are an outage, or three that have
// lasted ten seconds (outage.go): every job
// of the app halts, and single calls probe the service until one is answered
// well; then the jobs go on by themselves. Other halts wait for a person.
//
// An account that a good reading leaves out has shown no tags that could be lost,
// and nothing that proves it clear; it is sent, and that answer settles it.
//
// Not promised: tags that somebody gives an account between its reading and the
// call that removes all are removed and not kept; where no tags are kept, also
// those given between a lost call that did its work and the first reading. Where
// several consoles share a budget, and where answers take longer than a second,
// the service may count a few calls more than a hundred after a stall on the way.
package jobs
