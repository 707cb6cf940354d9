package settings

import "testing"

// The settings file that users start from must be right.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	s, faults := Load(Input{
		Flags: map[string][]string{"config": {"../../examples/etc/abide.yaml"}},
		Env:   func(string) (string, bool) { return "", false },
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if len(s.Sources) != 2 || s.Sources[0].Name != "app" || len(s.Tokens) != 1 || s.MaxJobs != 8 {
		t.Errorf("settings: %v", s)
	}
}
