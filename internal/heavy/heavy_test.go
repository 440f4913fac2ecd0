package heavy

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTasksOfAPersonAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		var tasks []*Task
		for range ownTasks {
			task, err := l.Begin(t.Context(), "ann")
			require.NoError(t, err)
			task.Rest() // its client does not read
			tasks = append(tasks, task)
		}
		_, err := l.Begin(t.Context(), "ann")
		require.True(t, FaultOwn.Is(err), "%v", err)
		other, err := l.Begin(t.Context(), "bob")
		require.NoError(t, err)
		other.End()
		go func() {
			time.Sleep(patience / 2)
			tasks[0].End()
		}()
		task, err := l.Begin(t.Context(), "ann")
		require.NoError(t, err, "a moment is waited for room")
		task.End()
		for _, task := range tasks {
			task.End()
			require.NoError(t, task.Work(t.Context()), "what has ended takes nothing any more")
		}
		require.Empty(t, l.people)
		require.True(t, l.processors.TryAcquire(int64(max(1, runtime.GOMAXPROCS(0)-1))))
	})
}

func TestAllTasksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, begun := New(), 0
		for i := range 100 {
			task, err := l.Begin(t.Context(), fmt.Sprint(i))
			if err != nil {
				require.True(t, FaultFull.Is(err), "%v", err)
				continue
			}
			defer task.End()
			task.Rest()
			begun++
		}
		require.Equal(t, allTasks, begun)
		ended, end := context.WithCancel(t.Context())
		end()
		_, err := l.Begin(ended, "x")
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, l.people["x"])
	})
}

func TestFewerComputeThanThereAreProcessors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		var computing, most atomic.Int64
		var turns [8]atomic.Int64
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var all sync.WaitGroup
		for i := range turns {
			all.Go(func() {
				task, err := l.Begin(ctx, fmt.Sprint(i))
				if err != nil {
					return
				}
				defer task.End()
				for ctx.Err() == nil {
					n := computing.Add(1)
					most.Store(max(most.Load(), n))
					time.Sleep(slice)
					computing.Add(-1)
					turns[i].Add(1)
					if task.Turn(ctx) != nil {
						return
					}
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, most.Load(), int64(max(1, runtime.GOMAXPROCS(0)-1)))
		for i := range turns {
			require.Positive(t, turns[i].Load(), "every one has its turn")
		}
	})
}
