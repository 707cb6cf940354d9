package device

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/netconf/tree"
)

// TestRecord is the table of a record's transitions.
func TestRecord(t *testing.T) {
	t.Parallel()
	var none Record
	held := none.Begin("t1", time.Time{}, map[string]string{"a": "1", "b": "2"}, "<base/>").Done(map[string]string{"a": "1", "b": "2"}, "<base/>")
	no := Refusal{Digest: "3", Text: "no", At: time.Unix(1, 0).UTC()}
	tests := []struct {
		name    string
		got     Record
		want    Record
		settled bool
	}{
		{"nothing is settled", none, Record{}, true},
		{"begun", none.Begin("t1", time.Time{}, map[string]string{"a": "1"}, "<x/>"), Record{Next: map[string][]string{"a": {"1"}}, Push: "t1", NextBase: "<x/>"}, false},
		{
			"begun again, by who doesn't know how it ended", none.Begin("t1", time.Time{}, map[string]string{"a": "1"}, "").Begin("t2", time.Time{}, map[string]string{"a": "", "b": "2"}, ""),
			Record{Next: map[string][]string{"a": {"1", ""}, "b": {"2"}}, Push: "t2"},
			false,
		},
		{"begun again with the same", none.Begin("t1", time.Time{}, map[string]string{"a": "1"}, "").Begin("t2", time.Time{}, map[string]string{"a": "1"}, ""), Record{Next: map[string][]string{"a": {"1"}}, Push: "t2"}, false},
		{"done", held, Record{Held: map[string]string{"a": "1", "b": "2"}, Base: "<base/>"}, true},
		{"one goes", held.Begin("t2", time.Time{}, map[string]string{"a": ""}, "").Done(map[string]string{"a": ""}, ""), Record{Held: map[string]string{"b": "2"}}, true},
		{"refused", held.Refuse("a", no), Record{Held: held.Held, Base: "<base/>", Refused: map[string]Refusal{"a": no}}, true},
		{"asked again", held.Refuse("a", no).Retry("a"), held, true},
		{"done after all", held.Refuse("a", no).Done(map[string]string{"a": "3"}, "<base/>"), Record{Held: map[string]string{"a": "3", "b": "2"}, Base: "<base/>"}, true},
		{"another's refusal stays", held.Refuse("a", no).Done(map[string]string{"b": "4"}, ""), Record{Held: map[string]string{"a": "1", "b": "4"}, Refused: map[string]Refusal{"a": no}}, true},
	}
	empty := cmp.Comparer(func(a, b map[string]Refusal) bool { return len(a) == 0 && len(b) == 0 || cmp.Equal(a, b) })
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.got, empty); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if tt.got.Settled() != tt.settled {
			t.Errorf("%s: settled is %v", tt.name, tt.got.Settled())
		}
	}
}

// TestBehind says what there is to do on a device.
func TestBehind(t *testing.T) {
	t.Parallel()
	r := Record{Held: map[string]string{"a": "1", "b": "2"}}
	tests := []struct {
		name        string
		record      Record
		want        map[string]string
		todo, stale []string
	}{
		{"all is there", r, map[string]string{"a": "1", "b": "2"}, nil, nil},
		{"one is another", r, map[string]string{"a": "1", "b": "3"}, []string{"b"}, nil},
		{"one is gone, one is new", r, map[string]string{"c": "1", "b": "2"}, []string{"a", "c"}, nil},
		{"it was refused", r.Refuse("b", Refusal{Digest: "3"}), map[string]string{"a": "1", "b": "3"}, nil, nil},
		{"something else was refused", r.Refuse("b", Refusal{Digest: "4"}), map[string]string{"a": "1", "b": "3"}, []string{"b"}, []string{"b"}},
		{"that it goes was refused", r.Refuse("b", Refusal{}), map[string]string{"a": "1"}, nil, nil},
		{"refused, and no longer wanted", r.Refuse("b", Refusal{Digest: "3"}), map[string]string{"a": "1", "b": "2"}, nil, []string{"b"}},
		{"refused, and gone since", Record{}.Refuse("b", Refusal{}), nil, nil, []string{"b"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.todo, tt.record.Behind(tt.want)); diff != "" {
			t.Errorf("%s: to do: %s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.stale, tt.record.stale(tt.want)); diff != "" {
			t.Errorf("%s: stale: %s", tt.name, diff)
		}
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	var h hint
	if h.useful() || h.unchanged("") {
		t.Error("a device without stamps tells something")
	}
	h.seen("A", start)
	if h.unchanged("A") {
		t.Error("a young stamp is trusted: it may hide a change of the same second")
	}
	h.seen("A", start.Add(young))
	if !h.unchanged("A") || h.unchanged("B") {
		t.Error("an old stamp is not trusted")
	}
	h.read("B", start.Add(time.Minute)) // a push of ours
	if h.unchanged("B") {
		t.Error("a stamp is trusted with which nothing was looked at")
	}
	h.seen("B", start.Add(2*time.Minute))
	if !h.unchanged("B") {
		t.Error("an old stamp is not trusted")
	}
}

func TestPolicyOf(t *testing.T) {
	t.Parallel()
	rules := []Rule{
		{"/oc-sys:system/ntp", Ignore},
		{"/system/users/user/key", Accept},
		{"/system/users/user[name='a/b']/key", Ignore},
		{"/system/users/user/key", Revert}, // the first of two counts
		{"/bad[", Ignore},
	}
	tests := map[string]Policy{
		"/oc-sys:system/ntp/server[address='1.1.1.1']": Ignore,
		"/oc-sys:system/ntp":                           Ignore,
		"/system/ntp":                                  Ignore,
		"/other:system/ntp":                            Revert,
		"/oc-sys:system":                               Revert,
		"/oc-sys:system/users/user[name='x']/key":      Accept,
		"/oc-sys:system/users/user[name='a/b']/key":    Ignore,
		"/oc-sys:system/users/user[name='x']":          Revert,
		"no path":                                      Revert,
	}
	for path, want := range tests {
		if got := policyOf(rules, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		edit, want string
		paths      []string
	}{
		{"<hostname>h</hostname><secret>s</secret>", "<secret>s</secret>", []string{"/b:system/hostname"}},
		{"<secret>s</secret>", "", []string{"/system/secret"}},
		{users("a:1", "b:1"), users("b:1"), []string{"/system/users/user[name='a']/key"}}, // just the key would be left
		{users("a:1"), "", []string{"/system/users/user[name='a']/key"}},
		{users("a:1"), users("a:1"), []string{"/system/users/user[name='b']/key"}},
		{"<dns>1</dns><dns>2</dns>", "<dns>2</dns>", []string{"/system/dns[.='1']"}},
	}
	for _, tt := range tests {
		var paths [][]tree.Step
		for _, p := range tt.paths {
			steps, err := tree.ParsePath(p)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, steps)
		}
		var want *tree.Node
		if tt.want != "" {
			want = xml(tt.want)
		}
		if got := without(xml(tt.edit), paths); !tree.Equal(got, want) {
			t.Errorf("%s without %v is %s", tt.edit, tt.paths, got.AppendXML(nil))
		}
	}
}

func TestUnion(t *testing.T) {
	t.Parallel()
	tests := []struct{ a, b, want string }{
		{"<hostname>a</hostname>", "<hostname>b</hostname><secret>s</secret>", "<hostname>a</hostname><secret>s</secret>"},
		{users("x:1"), users("x:2", "y:1"), users("x:1", "y:1")},
		{"<dns>1</dns>", "<dns>1</dns><dns>2</dns>", "<dns>1</dns><dns>2</dns>"},
	}
	for _, tt := range tests {
		for _, schema := range []*tree.Def{boxSchema(), nil} {
			if got := union(xml(tt.a), xml(tt.b), schema); !tree.Equal(got, xml(tt.want)) {
				t.Errorf("%s and %s are %s", tt.a, tt.b, got.AppendXML(nil))
			}
		}
	}
	if x := xml("<hostname>a</hostname>"); union(nil, x, nil) != x || union(x, nil, nil) != x {
		t.Error("the union with nothing is something else")
	}
}
