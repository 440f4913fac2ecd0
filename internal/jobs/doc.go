// Package jobs says what a job is, reads its file and carries it out.
//
// A job is one upload and what is done with its accounts. The [Importer] reads
// its file in the background and plans it into batches of up to 100 accounts in
// file order. Sorting on disk finds what repeats, so that memory does not grow
// with the file; a reading that broke off begins anew.
//
// The [Runner] sends the batches. The service answers a batch
// as a whole, answers get lost, and there is no undo; so the runner keeps to this:
//
//   - Claim. A batch is taken by one statement, under a lease.
//   - Intent before act. Claiming writes down that the batch is being sent, and
//     the call in the ledger, committed before the request leaves.
//   - Pace. Claiming reserves a slot in the app's budget of calls for each
//     command. The budget is persisted, so restarts and other processes share it.
//   - Decide. One function turns an answer into an outcome for every account.
//   - Settle. Outcomes, counts, the ledger and what the log must hold are written
//     in one transaction, guarded by the lease, under a context no shutdown ends.
//   - Expire. A batch whose owner died is in doubt: at start-up when no other
//     process can own it, else when its lease ends.
//   - Read back. Accounts in doubt are never sent again blindly. Their tags are
//     read once the lost call can no longer take effect: none, and they are
//     cleared; some, and they wait to be sent again.
//
// An account that a good reading leaves out has shown no tags that could be lost,
// and nothing that proves it clear; it is sent again, and that answer settles it.
//
// The last rule leaves one gap: tags given to an account between a lost call
// that did its work and the read-back look like the old ones, and are removed.
package jobs
