package web

import "tagsweep/internal/heavy"

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
	task, err := s.Heavy.Begin(ctx, v.user.ID)
	if err != nil {
		return nil, err
	}
	v.SetRequest(v.Request().WithContext(heavy.With(ctx, task)))
	release := s.hold(v)
	return func() { release(); task.End() }, nil
}
