package store_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMem(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		s := store.Mem()
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

func TestBolt(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := store.Open(filepath.Join(t.TempDir(), "abide.db"), store.Options{BackupPrefixes: []string{"a/"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
