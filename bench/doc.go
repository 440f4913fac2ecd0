// Package bench compares the engine with job queues that others have made. It
// is a module of its own, so that their code is no part of the product.
package bench
