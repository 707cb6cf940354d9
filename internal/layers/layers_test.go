package layers

import (
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	above := map[string]bool{}
	for _, row := range Rows {
		if above[row.Package] {
			t.Errorf("%s has two rows", row.Package)
		}
		for _, a := range row.Imports {
			if !above[a.To] {
				t.Errorf("%s imports %s, which does not stand above it in the table", row.Package, a.To)
			}
			if a.Why == "" {
				t.Errorf("%s imports %s without a reason", row.Package, a.To)
			}
		}
		above[row.Package] = true
	}
}

// TestImports holds every package to its row, and every row to its package.
func TestImports(t *testing.T) {
	t.Parallel()
	used := map[string]map[string]bool{} // package → what it imports of ours
	for _, f := range readModule(t) {
		if isUnshipped(f.pkg) {
			continue
		}
		i := slices.IndexFunc(Rows, func(r Row) bool { return r.Package == f.pkg })
		if used[f.pkg] == nil {
			used[f.pkg] = map[string]bool{}
			if i < 0 {
				t.Errorf("the package %s has no row in the table; add one with its imports and their reasons, or list it as unshipped", f.pkg)
			}
		}
		if i < 0 {
			continue
		}
		for _, imported := range f.imports {
			to, ok := ours(imported)
			if !ok || f.test && (to == f.pkg || isUnshipped(to)) {
				continue
			}
			used[f.pkg][to] = true
			if isUnshipped(to) {
				t.Errorf("%s imports %s, which does not ship", f.path, to)
			} else if !slices.ContainsFunc(Rows[i].Imports, func(a Arrow) bool { return a.To == to }) {
				t.Errorf("%s: %s may not import %s; put what it needs elsewhere, or add the import to the table with its reason", f.path, f.pkg, to)
			}
		}
	}
	for _, row := range Rows {
		if used[row.Package] == nil {
			t.Errorf("the table has a row for %s, which does not exist", row.Package)
		}
		for _, a := range row.Imports {
			if used[row.Package] != nil && !used[row.Package][a.To] {
				t.Errorf("%s no longer imports %s; take it out of the table", row.Package, a.To)
			}
		}
	}
}

// isUnshipped says whether pkg is on that list, or below one that is.
func isUnshipped(pkg string) bool {
	return slices.ContainsFunc(Unshipped, func(dir string) bool { return within(pkg, dir) })
}

func TestLibraries(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range readModule(t) {
		if f.test || isUnshipped(f.pkg) {
			continue
		}
		for _, imported := range f.imports {
			lib, ok := libraryOf(imported)
			if !ok {
				continue
			}
			used[lib.Path+" "+f.pkg] = true
			if !slices.Contains(lib.Users, f.pkg) {
				t.Errorf("%s: %s may not import %s: %s", f.path, f.pkg, imported, lib.Why)
			}
		}
	}
	for _, lib := range Libraries {
		for _, user := range lib.Users {
			if !used[lib.Path+" "+user] {
				t.Errorf("%s no longer imports %s; take it out of the table", user, lib.Path)
			}
		}
	}
}

func libraryOf(imported string) (Library, bool) {
	var best Library
	for _, lib := range Libraries {
		if within(imported, lib.Path) && len(lib.Path) > len(best.Path) {
			best = lib
		}
	}
	return best, best.Path != ""
}

// TestFileSizes keeps every file readable in one go. The cases of a test may
// make it longer.
func TestFileSizes(t *testing.T) {
	t.Parallel()
	const limit, testLimit = 400, 500
	for _, f := range readModule(t) {
		if f.lines > testLimit || !f.test && f.lines > limit {
			t.Errorf("%s has %d lines, more than %d, or %d of a test; give its second responsibility a file of its own", f.path, f.lines, limit, testLimit)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	if !within("a/b", "a") || !within("a", "a") || within("ab", "a") {
		t.Error("within is wrong")
	}
	lib, _ := libraryOf("github.com/go-git/go-git/v5/plumbing/format/gitignore")
	if !strings.HasSuffix(lib.Path, "gitignore") {
		t.Errorf("the shorter library counts: %s", lib.Path)
	}
}
