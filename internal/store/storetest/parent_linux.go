package storetest

import "syscall"

// dieWithParent ends the cluster even when the tests are killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
