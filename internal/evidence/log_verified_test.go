package evidence_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
)

// What the last verification found is what the log proves, and nothing else in the database.
func TestTheLastVerificationIsInTheLog(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		none, err := l.Audit.LastVerified(ctx)
		require.NoError(t, err)
		require.Nil(t, none)
		well := audit.Verified{At: l.DB.Now().Add(-time.Second), Entries: 9, Checkpoints: 3, Published: 2, Jobs: 4, Seals: 5,
			Unsigned: true, Notes: []string{"a note"}}
		require.NoError(t, l.Audit.SaveVerified(ctx, audit.System, well))
		last, err := l.Audit.LastVerified(ctx)
		require.NoError(t, err)
		require.WithinDuration(t, well.At, last.At, 5*time.Second)
		well.At = last.At
		require.Equal(t, well, *last)

		wrong := audit.Verified{At: l.DB.Now(), Entries: 10, More: 3}
		for n := range 200 {
			wrong.Wrong = append(wrong.Wrong, fmt.Sprintf("job %d: <%s>", n, strings.Repeat("错", n)))
		}
		require.NoError(t, l.Audit.SaveVerified(ctx, audit.System, wrong))
		last, err = l.Audit.LastVerified(ctx)
		require.NoError(t, err)
		require.Equal(t, wrong.Wrong[:len(last.Wrong)], last.Wrong)
		require.Greater(t, len(last.Wrong), 20)
		require.Equal(t, 203, len(last.Wrong)+last.More, "none is forgotten")

		l.exec(t, `UPDATE audit_lines SET code = 'log.verified', line = REPLACE(line, 'log.unverified', 'log.verified')`)
		last, err = l.Audit.LastVerified(ctx)
		require.NoError(t, err)
		require.Nil(t, last, "the log does not prove it: it is verified again")
	})
}

// Nobody was sent more checkpoints than there are: what says so is no reason to send none.
func TestPublishedIsNoMoreThanTheLogHas(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		const there = "https://checkpoints.example"
		upTo := func() int64 {
			size, err := l.Audit.PublishedUpTo(ctx, there)
			require.NoError(t, err)
			all, err := l.Audit.Publications(ctx)
			require.NoError(t, err)
			require.Equal(t, size, all[len(all)-1].Size)
			return size
		}
		require.NoError(t, l.Audit.Published(ctx, there, 3))
		require.EqualValues(t, 3, upTo())
		l.exec(t, `UPDATE publications SET size = 1000000000`)
		require.Zero(t, upTo(), "all is sent anew")
		require.NoError(t, l.Audit.Published(ctx, there, 2))
		require.EqualValues(t, 2, upTo())
		require.NoError(t, l.Audit.Published(ctx, there, 1))
		require.EqualValues(t, 2, upTo(), "another console was further")
	})
}
