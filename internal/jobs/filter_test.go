package jobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestJobsAreFoundByWhatTheyAre(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		made := map[string]string{}
		for _, n := range []struct{ name, note, by string }{
			{"churned_users.csv", "OPS-4711", "olga"}, {"VIP 100%.csv", "churned too", "Adam"}, {"七月名单.csv", "Ärger!", "olga"},
		} {
			j, err := jobstest.Draft(s, audit.Actor{ID: n.by, Name: n.by}, jobs.Upload{FileName: n.name, Note: n.note}, "user_id\nann\n")
			require.NoError(t, err)
			made[n.name] = j.ID
		}
		all, err := s.List(ctx, jobs.Filter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, all, 3)
		for _, c := range []struct {
			filter jobs.Filter
			want   []string
		}{
			{jobs.Filter{Text: "CHURNED"}, []string{"VIP 100%.csv", "churned_users.csv"}},
			{jobs.Filter{Text: "100%"}, []string{"VIP 100%.csv"}},
			{jobs.Filter{Text: "%"}, []string{"VIP 100%.csv"}},
			{jobs.Filter{Text: "d_u"}, []string{"churned_users.csv"}},
			{jobs.Filter{Text: "!"}, []string{"七月名单.csv"}},
			{jobs.Filter{Text: "Ä"}, []string{"七月名单.csv"}},
			{jobs.Filter{Text: "七月"}, []string{"七月名单.csv"}},
			{jobs.Filter{Text: made["VIP 100%.csv"][4:]}, []string{"VIP 100%.csv"}},
			{jobs.Filter{By: "adam"}, []string{"VIP 100%.csv"}},
			{jobs.Filter{By: "olga", Text: "churned"}, []string{"churned_users.csv"}},
			{jobs.Filter{Kind: jobs.Inspect}, nil},
			{jobs.Filter{Kind: jobs.Clear, State: jobs.Draft, Text: "ops"}, []string{"churned_users.csv"}},
			{jobs.Filter{From: time.Now().Add(time.Hour)}, nil},
			{jobs.Filter{To: all[1].CreatedAt}, []string{"churned_users.csv"}},
			{jobs.Filter{From: all[1].CreatedAt, To: time.Now().Add(time.Hour)}, []string{"七月名单.csv", "VIP 100%.csv"}},
			{jobs.Filter{Text: "csv", Before: made["VIP 100%.csv"]}, []string{"churned_users.csv"}},
		} {
			c.filter.Limit = 10
			found, err := s.List(ctx, c.filter)
			require.NoError(t, err)
			var names []string
			for _, j := range found {
				names = append(names, j.FileName)
			}
			require.Equal(t, c.want, names, "%+v", c.filter)
		}
	})
}
