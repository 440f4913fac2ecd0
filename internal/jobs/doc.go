// Package jobs says what a job is, and reads its file.
//
// A job is one upload and what is done with its accounts. The [Importer] reads
// its file in the background and plans it into batches of up to 100 accounts in
// file order. Sorting on disk finds what repeats, so that memory does not grow
// with the file; a reading that broke off begins anew.
//
// What a job does with an account is its [Kind] (operation.go), where it stands its
// [State]. One table says which actions change the state and how, whoever acts
// ([State.Next]), and one function what follows from the counts of a job
// ([Progress.Judge]). The package engine carries jobs out.
package jobs
