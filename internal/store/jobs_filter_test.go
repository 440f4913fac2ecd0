package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

func TestJobsAreFoundByWhatTheyAre(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		made := map[string]string{}
		for _, n := range []struct{ name, note, by string }{
			{"churned_users.csv", "OPS-4711", "olga"}, {"VIP 100%.csv", "churned too", "Adam"}, {"七月名单.csv", "Ärger!", "olga"},
		} {
			j, err := storetest.Draft(s, audit.Actor{ID: n.by, Name: n.by}, store.NewJob{FileName: n.name, Note: n.note}, "user_id\nann\n")
			require.NoError(t, err)
			made[n.name] = j.ID
		}
		all, err := s.Jobs(ctx, store.JobFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, all, 3)
		for _, c := range []struct {
			filter store.JobFilter
			want   []string
		}{
			{store.JobFilter{Text: "CHURNED"}, []string{"VIP 100%.csv", "churned_users.csv"}},
			{store.JobFilter{Text: "100%"}, []string{"VIP 100%.csv"}},
			{store.JobFilter{Text: "%"}, []string{"VIP 100%.csv"}},
			{store.JobFilter{Text: "d_u"}, []string{"churned_users.csv"}},
			{store.JobFilter{Text: "!"}, []string{"七月名单.csv"}},
			{store.JobFilter{Text: "Ä"}, []string{"七月名单.csv"}},
			{store.JobFilter{Text: "七月"}, []string{"七月名单.csv"}},
			{store.JobFilter{Text: made["VIP 100%.csv"][4:]}, []string{"VIP 100%.csv"}},
			{store.JobFilter{By: "adam"}, []string{"VIP 100%.csv"}},
			{store.JobFilter{By: "olga", Text: "churned"}, []string{"churned_users.csv"}},
			{store.JobFilter{Kind: jobs.Inspect}, nil},
			{store.JobFilter{Kind: jobs.Clear, State: jobs.Draft, Text: "ops"}, []string{"churned_users.csv"}},
			{store.JobFilter{From: time.Now().Add(time.Hour)}, nil},
			{store.JobFilter{To: all[1].CreatedAt}, []string{"churned_users.csv"}},
			{store.JobFilter{From: all[1].CreatedAt, To: time.Now().Add(time.Hour)}, []string{"七月名单.csv", "VIP 100%.csv"}},
			{store.JobFilter{Text: "csv", Before: made["VIP 100%.csv"]}, []string{"churned_users.csv"}},
		} {
			c.filter.Limit = 10
			found, err := s.Jobs(ctx, c.filter)
			require.NoError(t, err)
			var names []string
			for _, j := range found {
				names = append(names, j.FileName)
			}
			require.Equal(t, c.want, names, "%+v", c.filter)
		}
	})
}
