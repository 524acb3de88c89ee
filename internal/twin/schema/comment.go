package schema

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// readComments adds the comments of a Go file to comments.
func readComments(name string, source []byte, comments map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.TYPE {
			continue
		}
		for _, spec := range group.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			doc := typ.Doc
			if doc == nil {
				doc = group.Doc
			}
			comments[typ.Name.Name] = oneLine(doc)
			s, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range s.Fields.List {
				for _, n := range f.Names {
					comments[typ.Name.Name+"."+n.Name] = oneLine(f.Doc)
				}
			}
		}
	}
	return nil
}

func oneLine(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}
