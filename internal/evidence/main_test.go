package evidence_test

import (
	"context"
	"testing"

	"tagsweep/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var ctx = context.Background()
