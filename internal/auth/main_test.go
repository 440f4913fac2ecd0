package auth_test

import (
	"context"
	"testing"

	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var (
	ctx      = context.Background()
	operator = jobstest.Operator
)
