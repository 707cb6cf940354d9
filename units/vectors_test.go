package units_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

// vector is one case that was recorded from fleet 1.0.
type vector struct {
	Name, Kind, Raw      string
	Options              [][3]string `json:"options"`
	Error                string      `json:"error"`
	Serialized           string      `json:"serialized"`
	Hash                 string      `json:"hash"`
	HashAfterReadBack    string      `json:"hash_after_store_and_read_back"`
	OptionsAfterReadBack [][3]string `json:"options_after_store_and_read_back"`
	XFleet               *struct {
		Unit      string              `json:"unit"`
		Global    bool                `json:"global"`
		MachineID string              `json:"machineID"`
		Metadata  map[string][]string `json:"metadata"`
		Peers     []string            `json:"peers"`
		Conflicts []string            `json:"conflicts"`
		Replaces  []string            `json:"replaces"`
	} `json:"x_fleet"`
}

func (v vector) options(list [][3]string) []units.Option {
	var out []units.Option
	for _, o := range list {
		out = append(out, units.Option{Section: o[0], Name: o[1], Value: o[2]})
	}
	return out
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/unit-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		// The recording leaves the middle of a long line out.
		list[i].Raw = strings.Replace(list[i].Raw, "...(long line 2048)", strings.Repeat("x", 2048), 1)
	}
	return list
}

// TestVectors holds parsing, writing and hashing to what fleet was seen to do.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			switch v.Kind {
			case "x-fleet":
				v.checkFleet(t)
			case "raw":
				options, err := units.Parse(v.Raw)
				if v.Error != "" {
					if err == nil || err.Error() != v.Error {
						t.Fatalf("error %v, fleet's is %q", err, v.Error)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(v.options(v.Options), options); diff != "" {
					t.Fatalf("options (-fleet +ours):\n%s", diff)
				}
				v.checkForm(t, options)
			default:
				v.checkForm(t, v.options(v.Options))
			}
		})
	}
}

func (v vector) checkForm(t *testing.T, options []units.Option) {
	t.Helper()
	text := units.Serialize(options)
	if diff := cmp.Diff(v.Serialized, text); diff != "" {
		t.Errorf("serialised (-fleet +ours):\n%s", diff)
	}
	if got := units.Hash(options); got != v.Hash {
		t.Errorf("hash %s, fleet's is %s", got, v.Hash)
	}
	back, err := units.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := units.Hash(back); got != v.HashAfterReadBack {
		t.Errorf("hash after reading back %s, fleet's is %s", got, v.HashAfterReadBack)
	}
	if v.OptionsAfterReadBack != nil {
		if diff := cmp.Diff(v.options(v.OptionsAfterReadBack), back); diff != "" {
			t.Errorf("read back (-fleet +ours):\n%s", diff)
		}
	}
}

func (v vector) checkFleet(t *testing.T) {
	t.Helper()
	want := units.XFleet{
		MachineID: v.XFleet.MachineID, Global: v.XFleet.Global, Peers: v.XFleet.Peers,
		Conflicts: v.XFleet.Conflicts, Replaces: v.XFleet.Replaces, Metadata: v.XFleet.Metadata,
	}
	got := units.XFleetOf(v.XFleet.Unit, v.options(v.Options))
	for _, m := range []map[string][]string{want.Metadata, got.Metadata} {
		for _, values := range m {
			slices.Sort(values) // fleet keeps a set
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("[X-Fleet] (-fleet +ours):\n%s", diff)
	}
}
