package layers

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestPackageDocs wants a doc comment of every package that says what the
// package knows and what it never knows.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	docs := map[string]string{}
	for _, f := range readModule(t) {
		if !f.test {
			docs[f.pkg] += f.ast.Doc.Text()
		}
	}
	for pkg, doc := range docs {
		switch {
		case doc == "":
			t.Errorf("the package %s has no doc comment", pkg)
		case !strings.Contains(doc, "know") || !strings.Contains(doc, "never") && !strings.Contains(doc, "knows nothing"):
			t.Errorf("the doc comment of the package %s does not say what it knows and what it never knows", pkg)
		}
	}
}

// TestExportedDocs wants a comment on everything that a package exports.
func TestExportedDocs(t *testing.T) {
	t.Parallel()
	for _, f := range readModule(t) {
		if f.test {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", f.path, name)
			}
		}
	}
}

// wellKnown are methods of which everybody knows what they do.
var wellKnown = []string{"Error", "Unwrap", "String"}

// undocumented gives the exported names of a declaration that lack a comment.
// A comment on a group of constants or variables covers all of them.
func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		known := d.Recv != nil && slices.Contains(wellKnown, d.Name.Name)
		if d.Doc == nil && d.Name.IsExported() && !known && exportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var out []string
		for _, spec := range d.Specs {
			out = append(out, undocumentedSpec(d, spec)...)
		}
		return out
	}
	return nil
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) (out []string) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			out = append(out, s.Name.Name)
		}
	case *ast.ValueSpec:
		if d.Doc != nil || s.Doc != nil || s.Comment != nil || d.Tok == token.IMPORT {
			return nil
		}
		for _, name := range s.Names {
			if name.IsExported() {
				out = append(out, name.Name)
			}
		}
	}
	return out
}

// exportedReceiver says whether d is a function, or a method of a type that
// others can name.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
