package web

import (
	"io"

	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs"
)

// limited is for a route whose work costs much: it waits a moment for room, or refuses.
func limited(handle func(*Server, *request) error) func(*Server, *request) error {
	return func(s *Server, v *request) error {
		end, err := s.begin(v)
		if err != nil {
			return err
		}
		defer end()
		return handle(s, v)
	}
}

// begin finds room for work that costs much, which the request then is. Call end.
func (s *Server) begin(v *request) (end func(), err error) {
	ctx := v.Request().Context()
	if heavy.Of(ctx) != nil {
		return func() {}, nil
	}
	task, err := s.Heavy.Begin(ctx, v.user.ID, heavy.Light)
	if err != nil {
		return nil, err
	}
	v.SetRequest(v.Request().WithContext(heavy.With(ctx, task)))
	release := s.hold(v)
	return func() { release(); task.End() }, nil
}

// needs is what parsing takes besides, in MiB: of what is packed, the texts that the cells
// of a workbook share are in memory.
func needs(file io.ReaderAt) int64 {
	head := make([]byte, 2)
	if n, _ := file.ReadAt(head, 0); n == 2 && (string(head) == "PK" || string(head) == "\x1f\x8b") {
		return heavy.Workbook
	}
	return 0
}

// needsFileOf finds the memory to parse the file of a job again.
func (s *Server) needsFileOf(v *request, j jobs.Job) error {
	ctx := v.Request().Context()
	file, err := s.Jobs.File(ctx, j)
	if err != nil {
		return err
	}
	return heavy.Of(ctx).Need(ctx, needs(file))
}
